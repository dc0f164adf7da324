//! What a database error means.

use sea_orm::{DbErr, RuntimeErr, sqlx};

use crate::error::ReadError;

/// What kind of trouble it is, which decides what the writer does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DbErrorClass {
    /// A unique index refused a value.
    Unique,
    /// Another process was in the way; the same transaction may work the next time.
    Transient,
    /// The connection is gone.
    Disconnected,
    /// Anything else.
    Other,
}

/// PostgreSQL's codes (appendix A of its manual): `unique_violation`, …
const PG_UNIQUE: &str = "23505";
/// … `serialization_failure`, `deadlock_detected`, `lock_not_available`, …
const PG_TRANSIENT: [&str; 3] = ["40001", "40P01", "55P03"];
/// … and those by which a server says that it goes away.
const PG_DISCONNECTED: [&str; 4] = ["57P01", "57P02", "57P03", "25P03"];
/// SQLite's extended codes: `SQLITE_CONSTRAINT_UNIQUE` and `SQLITE_CONSTRAINT_PRIMARYKEY`.
const SQLITE_UNIQUE: [&str; 2] = ["2067", "1555"];
/// The primary codes `SQLITE_BUSY` and `SQLITE_LOCKED`: the low byte of an extended code.
const SQLITE_TRANSIENT: [u32; 2] = [5, 6];

/// PostgreSQL's codes for a resource that is used up, such as the disk (`53…`), and for a statement, an idle transaction
/// or a transaction that took too long.
const PG_EXHAUSTED: &str = "53";
const PG_TIMEOUTS: [&str; 3] = ["57014", "25P03", "25P04"];
/// The primary codes `SQLITE_INTERRUPT` (a deadline), `SQLITE_IOERR`, `SQLITE_FULL` and `SQLITE_CANTOPEN`: the file is to
/// SQLite what the connection is to PostgreSQL.
const SQLITE_AWAY: [u32; 4] = [9, 10, 13, 14];

/// The error of the driver, where there is one.
fn driver_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

/// Whether the database does not answer now but may later: the connection is lost or refused, something took too long
/// or is locked, or the disk is full. Any other error is a defect, of the service or of its database.
pub(crate) fn is_away(cause: &DbErr) -> bool {
    match classify(cause) {
        DbErrorClass::Transient | DbErrorClass::Disconnected => true,
        DbErrorClass::Unique => false,
        DbErrorClass::Other => match driver_error(cause) {
            Some(sqlx::Error::Database(error)) => {
                let code = error.code().unwrap_or_default();
                if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
                    // A password that was changed, a database that is being restored: an operator's affair.
                    let refused = matches!(cause, DbErr::Conn(_));
                    refused || code.starts_with(PG_EXHAUSTED) || PG_TIMEOUTS.contains(&&*code)
                } else {
                    code.parse::<u32>().is_ok_and(|code| SQLITE_AWAY.contains(&(code & 0xff)))
                }
            }
            _ => false,
        },
    }
}

/// What an error says, with the code of the database.
pub(crate) fn with_code(error: &DbErr) -> String {
    match driver_error(error) {
        // SQLite's messages have it.
        Some(sqlx::Error::Database(cause))
            if cause.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() =>
        {
            format!("{error} (code: {})", cause.code().unwrap_or_default())
        }
        _ => error.to_string(),
    }
}

impl From<DbErr> for ReadError {
    fn from(error: DbErr) -> Self {
        let text = with_code(&error);
        if is_away(&error) { Self::Unavailable(text) } else { Self::Failed(text) }
    }
}

/// What kind of trouble an error is.
pub(crate) fn classify(error: &DbErr) -> DbErrorClass {
    let error = match (driver_error(error), error) {
        (Some(error), _) => error,
        (None, DbErr::ConnectionAcquire(_) | DbErr::Conn(_)) => return DbErrorClass::Disconnected,
        (None, _) => return DbErrorClass::Other,
    };
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            let primary = code.parse::<u32>().ok().map(|code| code & 0xff);
            if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
                match &*code {
                    PG_UNIQUE => DbErrorClass::Unique,
                    code if PG_TRANSIENT.contains(&code) => DbErrorClass::Transient,
                    code if PG_DISCONNECTED.contains(&code) || code.starts_with("08") => {
                        DbErrorClass::Disconnected
                    }
                    _ => DbErrorClass::Other,
                }
            } else if SQLITE_UNIQUE.contains(&&*code) {
                DbErrorClass::Unique
            } else if primary.is_some_and(|code| SQLITE_TRANSIENT.contains(&code)) {
                DbErrorClass::Transient
            } else {
                DbErrorClass::Other
            }
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => DbErrorClass::Disconnected,
        _ => DbErrorClass::Other,
    }
}
