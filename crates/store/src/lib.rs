//! The only way to rows: the write path, the event log and the reads, on SQLite and PostgreSQL.

mod activity;
mod backup;
mod check;
mod condition;
mod config;
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
mod identity;
mod insert;
mod listing;
mod log;
mod lookup;
mod maintenance;
mod page;
mod query;
mod read;
mod replay;
mod search;
mod search_index;
mod service_record;
mod sql;
mod staging;
mod stats;
mod store;
mod stored;
mod tailer;
mod write;

pub use activity::Activity;
pub use backup::{BackupError, BackupReport, RestoreReport, backup, renew, restore};
pub use check::CheckReport;
pub use config::Config;
pub use count::CountAudit;
pub use dates::{DateCount, Period};
pub use error::{OpenError, ReadError};
pub use facets::{Facet, Facets};
pub use history::EventPage;
pub use identity::{
    Authenticated, NewPassword, NewToken, Password, PasswordError, Session, SessionSelector, Sessions,
    SignIn, SignInError, SignedIn, TokenConflict, TokenKey, TokenNotFound, Tokens, UserConflict,
    UserNameTaken, UserNotFound, Users,
};
pub use page::Page;
pub use query::{Column, Filter, FilterError, From, Key, Kind, Operand, Operator, Place, Query, Sort};
pub use search::{Search, SearchError};
pub use staging::{RowKind, StageError, Staged, StagedRow};
pub use stats::Stats;
pub use store::{Snapshot, Store};
pub use stored::{ComponentJson, StoredComponent};
pub use write::{
    ComponentOperation, Conflict, Idempotency, OperationError, OperationErrors, OperationResult, Progress,
    VersionPrecondition, WriteContext, WriteError, WriteFailure, WriteResult,
};
