//! The metrics over a log in memory.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, also in what tests share")]

mod catalogue;
mod documentation;
mod fake_store;
mod moments;
mod prometheus;
mod scrapes;
