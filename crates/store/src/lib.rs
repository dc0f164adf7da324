//! The only way to rows: the write path, the event log and the reads, on SQLite and PostgreSQL.

mod access;
mod activity;
mod backup;
mod check;
mod condition;
mod count;
mod database;
mod database_url;
mod dates;
mod db;
mod entity;
mod error;
mod facets;
mod fault;
mod history;
mod idempotency;
mod insert;
mod listing;
mod log;
mod lookup;
mod maintenance;
mod prepare;
mod query;
mod read;
mod replay;
mod search;
mod service_record;
mod staging;
mod store;
mod stored;
mod tailer;
mod transaction;
mod write;
mod writer;

pub use access::{
    AccessDone, AccessRefusal, Authenticated, NewPassword, NewToken, Password, PasswordError, Session,
    Sessions, SignIn, SignInError, SignedIn, TokenKey,
};
pub use activity::Activity;
pub use backup::{BackupError, BackupReport, RestoreReport, backup, renew, restore};
pub use check::CheckReport;
pub use dates::{DateCount, Period};
pub use error::{OpenError, ReadError};
pub use facets::{Facet, Facets};
pub use history::EventPage;
pub use query::{Column, Filter, FilterError, From, Key, Kind, Operand, Operator, Page, Place, Query, Sort};
pub use search::{Search, SearchError};
pub use staging::{RowKind, StageError, Staged, StagedRow};
pub use store::{Config, CountAudit, Snapshot, Stats, Store};
pub use stored::{ComponentJson, StoredComponent};
pub use write::{
    Access, Done, Expected, Idempotency, Operation, Progress, Reason, Refusal, Write, WriteError, Written,
};
