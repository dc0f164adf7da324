//! How a command ends, and what it says to people.

use std::io::{self, Write as _};

/// What a command ends with where it did what was asked but what it found is bad: a violation, a bad row.
pub(crate) const FAILURE: u8 = 1;
/// What a command ends with where it was asked wrongly.
pub(crate) const USAGE: u8 = 2;

/// The failure was already reported to the user; only the exit code remains to be set.
#[derive(Debug, thiserror::Error)]
#[error("see above")]
pub(crate) struct Reported;

/// The options do not go together, or one of them has a bad value.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misconfigured(pub(crate) String);

/// Writes a sentence for people to stderr. If that fails, there is nowhere to report it.
pub(crate) fn say(sentence: &str) {
    drop(writeln!(io::stderr(), "{sentence}"));
}
