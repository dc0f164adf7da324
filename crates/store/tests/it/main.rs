//! The store on real databases: each test runs on an SQLite file and on PostgreSQL.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets an error has failed"
)]

mod database;
mod events;
mod facets;
mod history;
mod import_jobs;
mod people;
mod reads;
mod search;
mod sockets;
mod tokens;
mod writes;
