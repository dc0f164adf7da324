//! What is wrong with a row.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fault {
    /// The line of the file on which the row begins, from 1.
    pub line: u64,
    /// The columns it is in, and the field they fill where that is called otherwise. Empty where the row as a
    /// whole is wrong.
    pub place: String,
    /// What is expected there: a clause that begins with a verb.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// How much of a long text a message shows, in characters.
const MAX_SHOWN_CHARS: usize = 100;

/// A text as a message shows it.
pub(crate) fn shown(text: &str) -> String {
    if text.is_empty() {
        return "nothing".to_owned();
    }
    if text.chars().count() <= MAX_SHOWN_CHARS {
        return format!("{text:?}");
    }
    let beginning: String = text.chars().take(MAX_SHOWN_CHARS).collect();
    format!("{beginning:?} and more")
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, place, expected, found } = self;
        write!(f, "line {line}")?;
        if !place.is_empty() {
            write!(f, ", {place}")?;
        }
        write!(f, ": {expected}; found {found}")
    }
}
