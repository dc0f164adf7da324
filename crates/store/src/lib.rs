//! All access to the database, on SQLite and PostgreSQL: the write path, the event log, reads, users, tokens and
//! sessions, import jobs, backup and the check.
//!
//! What belongs here: SQL and transactions. What does not: HTTP, and what a component may be.

mod backup;
mod check;
mod component;
mod config;
mod db;
mod entity;
mod error;
mod identity;
mod import_job;
mod log;
mod maintenance;
mod service_record;
mod stats;
mod store;
mod write;

pub use backup::{BackupError, BackupReport, RestoreReport, backup, renew, restore};
pub use check::CheckReport;
pub use component::count::CountAudit;
pub use component::dates::{DateCount, Period};
pub use component::facets::{Facet, Facets};
pub use component::page::Page;
pub use component::query::{
    Column, ColumnType, Filter, FilterError, Key, Operand, Operator, PageCursor, PageStart, Query, Sort,
};
pub use component::row::{ComponentJson, StoredComponent};
pub use component::search::{Search, SearchError};
pub use config::Config;
pub use error::{OpenError, ReadError};
pub use identity::{
    Authenticated, NewPassword, NewToken, Password, PasswordError, Session, SessionSelector, Sessions,
    SignIn, SignInError, SignedIn, TokenConflict, TokenKey, TokenNotFound, Tokens, UserConflict,
    UserNameTaken, UserNotFound, Users,
};
pub use import_job::{ImportJobs, RowKind, StageError, Staged, StagedRow};
pub use log::activity::Activity;
pub use log::history::EventPage;
pub use stats::Stats;
pub use store::{Snapshot, Store};
pub use write::{
    ComponentOperation, Conflict, Idempotency, OperationError, OperationErrors, OperationResult, Progress,
    VersionPrecondition, WriteContext, WriteError, WriteFailure, WriteResult,
};
