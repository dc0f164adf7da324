//! Connections to PostgreSQL for reads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::TryFutureExt;
use sea_orm::{
    DbErr,
    sqlx::{self, Connection, PgConnection, postgres::PgConnectOptions},
};
use tokio::{sync::Semaphore, time::timeout};

use super::{Bind, Value, columns, failed, query};
use crate::{
    database::{ACQUIRE_TIMEOUT, warn_unclosed},
    fault::{Fault, fault},
};

/// Connections to PostgreSQL, each lent to one statement at a time.
///
/// A connection comes back only from a statement that ended: a read that is given up halfway, as when a client
/// hangs up, takes its connection with it, because the rest of the answer is still to come on it.
#[derive(Debug, Clone)]
pub(crate) struct Lent {
    options: Arc<PgConnectOptions>,
    /// How many may be open.
    connections: usize,
    /// One permit for each connection that may be open. Closed with the reader.
    permits: Arc<Semaphore>,
    free: Arc<Mutex<Vec<PgConnection>>>,
}

impl Lent {
    pub(super) fn new(options: Arc<PgConnectOptions>, connections: u32) -> Self {
        let connections = usize::try_from(connections).unwrap_or(Semaphore::MAX_PERMITS);
        let permits = Arc::new(Semaphore::new(connections));
        Self { options, connections, permits, free: Arc::default() }
    }

    /// Where the server has ended a connection since it was last used, all that are free are replaced.
    pub(super) async fn rows<T: Value>(
        &self,
        sql: String,
        binds: Vec<Bind>,
    ) -> Result<Vec<(String, T)>, DbErr> {
        let _permit = within(self.permits.acquire().map_err(|_closed| sqlx::Error::PoolClosed)).await?;
        let free = self.free().pop();
        if let Some(free) = free {
            match self.rows_of(free, sql.clone(), binds.clone()).await {
                Err(error) if fault(&error) == Fault::Disconnected => self.free().clear(),
                rows => return rows,
            }
        }
        let opened = within(PgConnection::connect_with(&self.options)).await?;
        self.rows_of(opened, sql, binds).await
    }

    async fn rows_of<T: Value>(
        &self,
        mut connection: PgConnection,
        sql: String,
        binds: Vec<Bind>,
    ) -> Result<Vec<(String, T)>, DbErr> {
        let rows = query(sql, binds).fetch_all(&mut connection).await;
        let rows = rows.and_then(|rows| columns(&rows)).map_err(failed);
        if !matches!(&rows, Err(error) if fault(error) == Fault::Disconnected) {
            self.free().push(connection);
        }
        rows
    }

    pub(super) fn open_and_idle(&self) -> (usize, usize) {
        let idle = self.free().len();
        let used = self.connections.saturating_sub(self.permits.available_permits());
        // A connection is back before its permit is.
        ((used + idle).min(self.connections), idle)
    }

    fn free(&self) -> MutexGuard<'_, Vec<PgConnection>> {
        // Nothing that is done under this lock leaves the list half changed.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn close(&self) {
        self.permits.close();
        let free = std::mem::take(&mut *self.free());
        for connection in free {
            warn_unclosed(connection.close().await);
        }
    }
}

/// Waits for one thing that a connection takes, no longer than [`ACQUIRE_TIMEOUT`].
async fn within<T>(connection: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, DbErr> {
    timeout(ACQUIRE_TIMEOUT, connection).await.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(failed)
}
