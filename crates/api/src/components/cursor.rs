//! Cursors: the position of a page, as an opaque text that clients send back.
//!
//! A cursor is neither secret nor signed: a forged one yields only a page that the client may read anyway. It
//! is checked, so that a truncated or forged cursor, or one for another list, is refused with a clear error
//! and never reaches the database.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use inventory_core::{ComponentId, Seq};
use inventory_http::{Problem, ProblemType};
use inventory_store::{Key, PageCursor, PageStart, Sort};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a cursor matches; nothing at all stands for the first page.
pub(super) const PATTERN: &str = "^[A-Za-z0-9_-]*$";
/// How long a cursor may be, in characters. The longest key is a name of 200 characters.
pub(super) const MAX_CHARS: usize = 4096;

/// What makes a list the one that a cursor belongs to: its order and its conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct List {
    /// The order.
    pub(super) sort: Sort,
    /// A digest of the conditions.
    pub(super) filters: u64,
}

/// A cursor as it is written: short names, since it travels in URLs.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// The column and the direction, as in the `sort` parameter.
    s: String,
    /// The digest of the conditions.
    f: u64,
    /// Whether the page lies before the place.
    b: bool,
    /// The key of the place.
    k: Key,
    /// The id of the place.
    i: Uuid,
    /// The last event when the walk began.
    e: u64,
}

/// The cursor of the page after a place.
pub(super) fn after(list: List, place: PageCursor) -> String {
    write(list, place, false)
}

/// The cursor of the page before a place.
pub(super) fn before(list: List, place: PageCursor) -> String {
    write(list, place, true)
}

fn write(list: List, place: PageCursor, before: bool) -> String {
    let written = Written {
        s: sort_text(list.sort),
        f: list.filters,
        b: before,
        k: place.key,
        i: place.id.0,
        e: place.since.0,
    };
    // Cannot fail: texts and numbers only.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&written).unwrap_or_default())
}

/// Where the page of a cursor begins, if it is a cursor of this list.
pub(super) fn read(list: List, cursor: &str) -> Result<PageStart, Problem> {
    if cursor.is_empty() {
        return Ok(PageStart::Start);
    }
    let refuse = |detail: &str| Problem::new(ProblemType::InvalidCursor, detail);
    let written = (cursor.len() <= MAX_CHARS)
        .then(|| URL_SAFE_NO_PAD.decode(cursor).ok())
        .flatten()
        .and_then(|json| serde_json::from_slice::<Written>(&json).ok())
        .ok_or_else(|| refuse("the cursor was not created by this service, or is truncated"))?;
    let Written { s, f, b, k, i, e } = written;
    if s != sort_text(list.sort) {
        return Err(refuse(&format!("the cursor belongs to a list in another order (sort={s})")));
    }
    if f != list.filters {
        return Err(refuse("the cursor belongs to a list with other filters"));
    }
    let place = PageCursor { key: k, id: ComponentId(i), since: Seq(e) };
    if !place.fits(list.sort.column) {
        return Err(refuse("the cursor was not created by this service"));
    }
    Ok(if b { PageStart::Before(place) } else { PageStart::After(place) })
}

/// A sort as the parameter writes it.
pub(super) fn sort_text(sort: Sort) -> String {
    let sign = if sort.descending { "-" } else { "" };
    format!("{sign}{}", sort.column.as_str())
}

#[cfg(test)]
mod tests {
    use inventory_store::Column;
    use proptest::prelude::*;

    use super::*;

    fn list(column: Column) -> List {
        List { sort: Sort { column, descending: false }, filters: 7 }
    }

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        let place = PageCursor {
            key: Key::Text("74HC00 \u{1F50C}".into()),
            id: ComponentId(Uuid::from_u128(5)),
            since: Seq(3),
        };
        let list = list(Column::Name);
        assert_eq!(read(list, &after(list, place.clone())).unwrap(), PageStart::After(place.clone()));
        assert_eq!(read(list, &before(list, place.clone())).unwrap(), PageStart::Before(place));
        assert_eq!(read(list, "").unwrap(), PageStart::Start);
    }

    #[test]
    fn a_cursor_of_another_list_or_with_another_key_is_refused() {
        let place =
            PageCursor { key: Key::Text("x".into()), id: ComponentId(Uuid::from_u128(5)), since: Seq(3) };
        let cursor = after(list(Column::Name), place.clone());
        assert!(read(list(Column::Sku), &cursor).is_err());
        assert!(read(List { filters: 8, ..list(Column::Name) }, &cursor).is_err());
        // A text where the column holds numbers.
        assert!(read(list(Column::MinQuantity), &after(list(Column::MinQuantity), place)).is_err());
        // Cut off at any place.
        for end in 1..cursor.len() {
            assert!(read(list(Column::Name), &cursor[..end]).is_err(), "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_taken_for_a_cursor(text in "[A-Za-z0-9_-]{1,200}") {
            prop_assert!(read(list(Column::Name), &text).is_err());
        }
    }
}
