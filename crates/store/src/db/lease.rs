//! A connection that is lent by a pool.

use std::ops::{Deref, DerefMut};

use deadpool::managed::{self, Metrics, Object, RecycleError, RecycleResult};
use sea_orm::DbErr;

use super::{
    availability::Availability,
    connection::{Connection, Options},
    file::DatabaseFile,
};

/// Opens connections and decides whether one is used again.
#[derive(Debug)]
pub(crate) struct Manager {
    options: Options,
    /// The file that a connection to SQLite must have opened.
    file: Option<DatabaseFile>,
    availability: Availability,
}

/// A connection, and how many outages there were before it was opened.
#[derive(Debug)]
pub(crate) struct Pooled {
    pub(super) connection: Connection,
    outages: u64,
}

impl Manager {
    pub(super) fn new(options: Options, file: Option<DatabaseFile>, availability: Availability) -> Self {
        Self { options, file, availability }
    }
}

impl managed::Manager for Manager {
    type Type = Pooled;
    type Error = DbErr;

    async fn create(&self) -> Result<Pooled, DbErr> {
        let outages = self.availability.outages();
        // Large, and rarely needed by what waits for a connection.
        let connection = Box::pin(Connection::open(&self.options)).await?;
        if let Some(file) = &self.file {
            file.verify()?;
        }
        Ok(Pooled { connection, outages })
    }

    async fn recycle(&self, pooled: &mut Pooled, _: &Metrics) -> RecycleResult<DbErr> {
        if !pooled.connection.is_reusable() {
            Err(RecycleError::message("a statement or transaction did not end"))
        } else if pooled.outages != self.availability.outages() {
            Err(RecycleError::message("it was opened before an outage"))
        } else {
            Ok(())
        }
    }
}

/// A connection in use. It goes back to its pool when this is dropped, or is closed if something on it did not end.
#[derive(Debug)]
pub(super) struct Lease(Option<Object<Manager>>);

impl Lease {
    pub(super) fn new(connection: Object<Manager>) -> Self {
        Self(Some(connection))
    }

    pub(super) fn was_used_before(&self) -> bool {
        self.0.as_ref().is_some_and(|connection| Object::metrics(connection).recycle_count > 0)
    }
}

impl Deref for Lease {
    type Target = Connection;

    #[expect(clippy::expect_used, reason = "it is taken by the destructor alone")]
    fn deref(&self) -> &Connection {
        &self.0.as_ref().expect("a lease has a connection until it is dropped").connection
    }
}

impl DerefMut for Lease {
    #[expect(clippy::expect_used, reason = "it is taken by the destructor alone")]
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0.as_mut().expect("a lease has a connection until it is dropped").connection
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(pooled) = self.0.take()
            && !pooled.connection.is_reusable()
        {
            drop(Object::take(pooled));
        }
    }
}
