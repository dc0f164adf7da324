//! The only way to rows: the write path, the event log and the reads, on SQLite and PostgreSQL.

mod check;
mod count;
mod database;
mod entity;
mod error;
mod fault;
mod idempotency;
mod insert;
mod listing;
mod log;
mod lookup;
mod maintenance;
mod prepare;
mod query;
mod read;
mod reader;
mod store;
mod tailer;
mod tokens;
mod transaction;
mod write;
mod writer;

pub use check::CheckReport;
pub use error::{OpenError, ReadError};
pub use query::{Column, Filter, FilterError, From, Key, Kind, Operand, Operator, Page, Place, Query, Sort};
pub use store::{Config, CountAudit, Snapshot, Stats, Store};
pub use write::{Done, Expected, Idempotency, Operation, Reason, Refusal, Write, WriteError, Written};
