//! The place of a page in an address.
//!
//! It is not secret and not signed: a made-up one leads to a page that the user may see anyway. It is
//! checked, so that what was made up never reaches the database.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use inventory_core::{ComponentId, Seq};
use inventory_store::{Column, Key, PageCursor};
use uuid::Uuid;

/// How long a place may be, in characters. The longest key is a name of 200 characters.
const MAX_CHARS: usize = 4096;

/// A place as a text.
pub(super) fn write(place: &PageCursor) -> String {
    // Cannot fail: texts and numbers only.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&(&place.key, place.id.0, place.since.0)).unwrap_or_default())
}

/// The place that a text says, if it is one in a list that is sorted by this column.
pub(super) fn read(column: Column, text: &str) -> Option<PageCursor> {
    let json = (text.len() <= MAX_CHARS).then(|| URL_SAFE_NO_PAD.decode(text).ok())??;
    let (key, id, since): (Key, Uuid, u64) = serde_json::from_slice(&json).ok()?;
    let place = PageCursor { key, id: ComponentId(id), since: Seq(since) };
    place.fits(column).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written_and_nothing_else_is_one() {
        let place =
            PageCursor {
                key: Key::Text("Ω 1 %".into()), id: ComponentId(Uuid::from_u128(7)), since: Seq(9)
            };
        let text = write(&place);
        assert_eq!(read(Column::Name, &text), Some(place));
        assert_eq!(read(Column::MinQuantity, &text), None, "a text is no place among amounts");
        for end in 0..text.len() {
            assert_eq!(read(Column::Name, &text[..end]), None, "cut at {end}");
        }
    }
}
