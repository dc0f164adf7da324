//! Cells that a spreadsheet would run as formulas, escaped.
//!
//! A program that opens a CSV file takes a cell that begins like a formula for one, also where it came from
//! someone else and sends what is in the sheet elsewhere. An apostrophe before it makes it text. So that a file
//! that is read back says the same, apostrophes that stand before such a beginning get one more, and reading
//! takes one away.

use std::borrow::Cow;

/// What makes a text of a formula.
const QUOTE: char = '\'';
/// How a cell begins that some program takes for a formula: the signs, their wide forms, and the control
/// characters that are skipped before them.
const RUN: [char; 11] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// Whether a text, behind any apostrophes, begins like a formula.
fn looks_like_formula(text: &str) -> bool {
    text.trim_start_matches(QUOTE).starts_with(RUN)
}

/// A text as a cell that nothing runs.
pub(crate) fn escape_formula(text: Cow<'_, str>) -> Cow<'_, str> {
    if looks_like_formula(&text) { format!("{QUOTE}{text}").into() } else { text }
}

/// The text of a cell: what [`escape_formula`] made it from.
pub(crate) fn text(cell: &str) -> &str {
    match cell.strip_prefix(QUOTE) {
        Some(text) if looks_like_formula(text) => text,
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_run_becomes_text_and_is_read_back_as_it_was() {
        for run in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\u{ff1d}1", "'=1", "''@x", "-"] {
            let cell = escape_formula(run.into());
            assert_eq!(cell, format!("'{run}"));
            assert_eq!(text(&cell), run);
        }
        for plain in ["", "a=1", "'", "'a'", "1-2", "''", " =1", "{\"a\":1}"] {
            assert_eq!(escape_formula(plain.into()), plain);
            assert_eq!(text(plain), plain);
        }
        // A file that others wrote: what is run there is read as it is.
        assert_eq!(text("-40 °C"), "-40 °C");
    }
}
