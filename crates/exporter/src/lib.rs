//! `GET /metrics/` and `GET /metrics`: the metrics in the Prometheus text format.
//!
//! The catalogue of the metrics and the task that collects them are in `inventory-metrics`. This crate renders the
//! metrics as text, reads the figures of the process, and checks who may scrape.
//!
//! What belongs here: the text format and the endpoint. What does not: what a metric means, and when it changes.

mod access;
mod exposition;
mod histogram;
mod process;
mod scrape;

pub use access::{MetricsAccess, TokenDigest};
pub use scrape::Exporter;
