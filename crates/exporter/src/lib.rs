//! `GET /metrics/`: the metrics in the Prometheus text format.
//!
//! The catalogue of the metrics and the task that collects them are in `inventory-metrics`. This crate
//! renders them as text, and authorizes scrapes.

mod access;
mod exposition;
mod histogram;
mod process;
mod scrape;

pub use access::{MetricsAccess, TokenDigest};
pub use scrape::Exporter;
