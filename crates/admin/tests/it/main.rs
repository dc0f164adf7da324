//! The web admin, page by page, on both databases.
//!
//! [`database`] and [`visitor`] are what the tests are written with; every other module is tests.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets an error has failed"
)]

#[path = "../../../api/tests/it/database.rs"]
mod database;
mod sign_in;
mod visitor;

mod account;
mod attacks;
mod bulk;
mod export;
mod filters;
mod form;
mod import;
mod list;
mod live;
mod merge;
mod metrics;
mod pages;
mod palette;
mod slow_forms;
mod tokens;
mod users;
