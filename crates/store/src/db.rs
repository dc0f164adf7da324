//! Connections, transactions and what bounds them, on SQLite and PostgreSQL.
//!
//! SeaORM makes the statements. They run on connections that this module owns, through the driver below SeaORM, for
//! three reasons. Whether a transaction has ended is known from the database's own answers and not from a driver's
//! bookkeeping. Every statement has a deadline that closes its connection. And no pool pings a connection after each
//! use, which on PostgreSQL is a second round trip for each read.

mod availability;
mod connection;
mod file;
mod lease;
mod limits;
mod pool;
mod socket;
mod statement;
mod transaction;

pub(crate) use availability::Availability;
pub(crate) use connection::{Connection, Options};
pub(crate) use file::DatabaseFile;
pub(crate) use pool::{CONNECT_TIMEOUT, Connections};
pub(crate) use statement::Bind;
pub(crate) use transaction::Transaction;
