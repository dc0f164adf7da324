//! CSV files as people have them.

#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod line_ends;
