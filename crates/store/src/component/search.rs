//! The words that a search looks for.

/// How many characters a word must have for the index of trigrams to know where it is.
pub(crate) const INDEXED_CHARS: usize = 3;

/// What to look for: every word must be found in the sku, the name, the description, the manufacturer part
/// number, the manufacturer or a tag of a component, as a part of it, whatever the case of ASCII letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// In small letters; at least one.
    pub(crate) words: Vec<String>,
}

/// Why a text cannot be searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum SearchError {
    #[error("must be at most {} characters long", Search::MAX_CHARS)]
    TooLong,
    #[error("must not hold NUL characters")]
    Nul,
}

impl Search {
    /// How long the text may be, in characters.
    pub const MAX_CHARS: usize = 200;

    /// Reads what a person typed: words with spaces between. `None` where there is no word.
    pub fn parse(text: &str) -> Result<Option<Self>, SearchError> {
        if text.chars().count() > Self::MAX_CHARS {
            return Err(SearchError::TooLong);
        }
        if text.contains('\0') {
            return Err(SearchError::Nul);
        }
        let words: Vec<_> = text.split_whitespace().map(str::to_ascii_lowercase).collect();
        Ok((!words.is_empty()).then_some(Self { words }))
    }

    /// Looks for tags, as far as they are long enough for the index to know where they are.
    pub(crate) fn of_tags<'a>(tags: impl Iterator<Item = &'a str>) -> Option<Self> {
        let words: Vec<_> =
            tags.filter(|tag| tag.chars().count() >= INDEXED_CHARS).map(str::to_ascii_lowercase).collect();
        (!words.is_empty()).then_some(Self { words })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_words_in_small_letters() {
        let words = |text: &str| Search::parse(text).map(|search| search.map(|search| search.words));
        let expected = ["74hc00", "\u{d6}l", "\"x"].map(str::to_owned).to_vec();
        assert_eq!(words("  74HC00\t\u{d6}l \u{a0}\"x "), Ok(Some(expected)));
        assert_eq!(words(" \n "), Ok(None));
        assert_eq!(words("a\0b"), Err(SearchError::Nul));
        let longest = "\u{e9}".repeat(Search::MAX_CHARS);
        assert_eq!(words(&longest), Ok(Some(vec![longest.clone()])));
        assert_eq!(words(&format!("{longest}a")), Err(SearchError::TooLong));
    }
}
