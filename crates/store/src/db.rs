//! Connections, transactions and their limits, on SQLite and PostgreSQL.
//!
//! SeaORM builds the statements. They run on connections that this module owns, through the driver below
//! SeaORM, for three reasons. The database's own responses say whether a transaction has ended, not the state
//! that a driver keeps. Every statement has a deadline that closes its connection. And no pool pings a
//! connection after each use, which on PostgreSQL is a second round trip for each read.

mod availability;
mod connection;
pub(crate) mod database;
pub(crate) mod error_class;
mod file;
pub(crate) mod insert;
mod lease;
mod limits;
mod pool;
mod socket;
pub(crate) mod sql;
mod statement;
mod transaction;
pub(crate) mod url;

pub(crate) use availability::Availability;
pub(crate) use connection::{Connection, Options};
pub(crate) use file::DatabaseFile;
pub(crate) use pool::{CONNECT_TIMEOUT, Connections};
pub(crate) use statement::Bind;
pub(crate) use transaction::Transaction;
