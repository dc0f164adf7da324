//! What a database error means.

use sea_orm::{DbErr, RuntimeErr, sqlx};

/// What kind of trouble it is, which decides what the writer does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
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

pub(crate) fn fault(error: &DbErr) -> Fault {
    let error = match error {
        DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error)) => error,
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => return Fault::Disconnected,
        _ => return Fault::Other,
    };
    match &**error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            let primary = code.parse::<u32>().ok().map(|code| code & 0xff);
            if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
                match &*code {
                    PG_UNIQUE => Fault::Unique,
                    code if PG_TRANSIENT.contains(&code) => Fault::Transient,
                    code if PG_DISCONNECTED.contains(&code) || code.starts_with("08") => Fault::Disconnected,
                    _ => Fault::Other,
                }
            } else if SQLITE_UNIQUE.contains(&&*code) {
                Fault::Unique
            } else if primary.is_some_and(|code| SQLITE_TRANSIENT.contains(&code)) {
                Fault::Transient
            } else {
                Fault::Other
            }
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Fault::Disconnected,
        _ => Fault::Other,
    }
}
