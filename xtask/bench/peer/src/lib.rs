//! What the service is measured against.
//!
//! `peer` is the service as a competent engineer writes it by hand in an afternoon: axum and sqlx, prepared
//! statements, WAL, `synchronous=FULL`, the same columns and the same JSON, and none of the guarantees: no
//! events, no versions, no ETags, no idempotency, no tokens, no indexes but the two it needs. `constant`
//! answers the same requests with constants: what HTTP alone costs.

mod component;
mod sql;

pub use component::{Batch, BatchOperation, BatchResult, BatchResults, Component, Listing, NewComponent};
pub use sql::{INSERT, SCHEMA_POSTGRES, SCHEMA_SQLITE, SELECT_FIRST, SELECT_NEXT, SELECT_ONE};
