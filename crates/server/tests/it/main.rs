//! The binary from outside: real processes, real databases, real HTTP.
//!
//! [`database`], [`command`] and [`server`] are what the tests are written with; every other module is tests.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets an error has failed"
)]

mod command;
mod database;
mod load;
mod server;

mod access;
mod admin;
mod alerts;
mod api_docs;
mod backup;
mod bad_input;
mod browser;
mod campaign;
mod configuration;
mod crash;
mod database_errors;
mod database_url;
mod descriptors;
mod exactness;
mod exports;
mod faults;
mod first_start;
mod header_limits;
mod hostile_bodies;
mod imports;
mod kicad;
mod log_lines;
mod log_sink;
mod metrics_access;
mod output;
mod postgres_io;
mod prometheus;
mod proxies;
mod readme;
mod reload;
mod rollback;
mod shutdown;
mod tls;
mod tokens;
mod users;
