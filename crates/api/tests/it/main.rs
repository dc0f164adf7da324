//! The service over HTTP on real databases: requests go through the router with all its layers.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets an error has failed"
)]

mod auth;

mod bad_input;
mod batch;
mod components;
mod conditions;
mod database;
mod documents;
mod events;
mod health;
mod idempotency;
mod metrics;
mod operator;
mod pages;
mod rate_limit;
mod security_headers;
mod service;
mod slow_bodies;
mod wire;
