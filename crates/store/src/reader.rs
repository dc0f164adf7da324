//! The statements that most requests come down to: rows of a text and one more value.
//!
//! It goes past SeaORM to the driver that SeaORM stands on, whose calls moved more memory for one row than the rest
//! of the request. It runs on connections that are kept out of the pool, which would check each one after each use:
//! on SQLite that costs as much as the statement itself, on PostgreSQL it is one more way to the server and back.

use std::sync::{
    Arc, Mutex as StdMutex, MutexGuard as StdMutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use futures::TryFutureExt;
use sea_orm::{DatabaseConnection, DbBackend, DbErr, RuntimeErr, sqlx};
use sqlx::{
    AssertSqlSafe, ColumnIndex, Connection, Database, Decode, Encode, IntoArguments, PgConnection, Postgres,
    Row, Sqlite, SqliteConnection, Type, database::HasStatementCache, postgres::PgConnectOptions,
    query::Query,
};
use tokio::{
    sync::{Mutex, MutexGuard, Semaphore},
    time::timeout,
};
use uuid::Uuid;

use crate::{
    database::ACQUIRE_TIMEOUT,
    fault::{Fault, fault},
};

/// A value of an SQL parameter.
#[derive(Debug, Clone)]
pub(crate) enum Bind {
    Id(Uuid),
    Text(String),
    /// A pattern to which PostgreSQL fits the plan: how to search depends on how many texts match it.
    Pattern(String),
    Integer(i64),
}

/// What a row may have beside its text, in either database.
pub(crate) trait Value:
    for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres> + Send + Unpin
{
}

impl Value for Uuid {}
impl Value for i64 {}

/// Connections for reads.
#[derive(Debug, Clone)]
pub(crate) enum Reader {
    Sqlite(Kept),
    Postgres(Lent),
}

impl Reader {
    /// It has as many connections as the pool may have, and of the same options. On SQLite it takes the pool's,
    /// which opens others when it needs them. On PostgreSQL it opens its own when it needs them.
    pub(crate) async fn new(pool: &DatabaseConnection, connections: u32) -> Result<Self, sqlx::Error> {
        if pool.get_database_backend() != DbBackend::Sqlite {
            let pool = pool.get_postgres_connection_pool();
            return Ok(Self::Postgres(Lent::new(pool.connect_options(), connections)));
        }
        let mut kept = Vec::new();
        for _ in 0..connections {
            let connection = pool.get_sqlite_connection_pool().acquire().await?.detach();
            kept.push(Mutex::new(Some(connection)));
        }
        Ok(Self::Sqlite(Kept { connections: kept.into(), next: Arc::default() }))
    }

    /// The rows, each a text and a value.
    pub(crate) async fn rows<T: Value>(
        &self,
        sql: String,
        binds: Vec<Bind>,
    ) -> Result<Vec<(String, T)>, DbErr> {
        match self {
            Self::Sqlite(kept) => kept.rows(sql, binds).await.map_err(failed),
            Self::Postgres(lent) => lent.rows(sql, binds).await,
        }
    }

    /// The text and the number in the first row, if there is one.
    pub(crate) async fn read(&self, sql: String, binds: Vec<Bind>) -> Result<Option<(String, i64)>, DbErr> {
        Ok(self.rows(sql, binds).await?.into_iter().next())
    }

    /// Its connections: open, idle.
    pub(crate) fn connections(&self) -> (usize, usize) {
        match self {
            Self::Sqlite(kept) => kept.open_and_idle(),
            Self::Postgres(lent) => lent.open_and_idle(),
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(kept) => kept.close().await,
            Self::Postgres(lent) => lent.close().await,
        }
    }
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}

/// A statement with its parameters.
fn query<'q, D: Database + HasStatementCache>(sql: String, binds: Vec<Bind>) -> Query<'q, D, D::Arguments>
where
    D::Arguments: IntoArguments<D>,
    Uuid: Encode<'q, D> + Type<D>,
    String: Encode<'q, D> + Type<D>,
    i64: Encode<'q, D> + Type<D>,
{
    let fitted = binds.iter().any(|bind| matches!(bind, Bind::Pattern(_)));
    // A statement that is kept prepared gets one plan for all values before long.
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(!fitted);
    for bind in binds {
        query = match bind {
            Bind::Id(id) => query.bind(id),
            Bind::Text(text) | Bind::Pattern(text) => query.bind(text),
            Bind::Integer(integer) => query.bind(integer),
        };
    }
    query
}

fn columns<R: Row, T>(rows: &[R]) -> Result<Vec<(String, T)>, sqlx::Error>
where
    usize: ColumnIndex<R>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> T: Decode<'r, R::Database> + Type<R::Database>,
{
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Connections to SQLite that are kept out of the pool.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// Empty once closed.
    connections: Arc<[Mutex<Option<SqliteConnection>>]>,
    next: Arc<AtomicUsize>,
}

impl Kept {
    async fn rows<T: Value>(&self, sql: String, binds: Vec<Bind>) -> Result<Vec<(String, T)>, sqlx::Error> {
        let mut connection = self.connection().await;
        let connection = connection.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        query(sql, binds).fetch_all(connection).await.and_then(|rows| columns(&rows))
    }

    /// A connection that is free, or the next one to become so.
    async fn connection(&self) -> MutexGuard<'_, Option<SqliteConnection>> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let turn = |offset: usize| &self.connections[(first.wrapping_add(offset)) % self.connections.len()];
        for offset in 0..self.connections.len() {
            if let Ok(free) = turn(offset).try_lock() {
                return free;
            }
        }
        turn(0).lock().await
    }

    fn open_and_idle(&self) -> (usize, usize) {
        let idle = self.connections.iter().filter(|kept| kept.try_lock().is_ok()).count();
        (self.connections.len(), idle)
    }

    async fn close(&self) {
        for kept in &*self.connections {
            if let Some(connection) = kept.lock().await.take()
                && let Err(error) = connection.close().await
            {
                tracing::warn!(%error, "a database connection did not close well");
            }
        }
    }
}

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
    free: Arc<StdMutex<Vec<PgConnection>>>,
}

impl Lent {
    fn new(options: Arc<PgConnectOptions>, connections: u32) -> Self {
        let connections = usize::try_from(connections).unwrap_or(Semaphore::MAX_PERMITS);
        let permits = Arc::new(Semaphore::new(connections));
        Self { options, connections, permits, free: Arc::default() }
    }

    /// Where the server has ended a connection since it was last used, all that are free are replaced.
    async fn rows<T: Value>(&self, sql: String, binds: Vec<Bind>) -> Result<Vec<(String, T)>, DbErr> {
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

    fn open_and_idle(&self) -> (usize, usize) {
        let idle = self.free().len();
        (self.connections.saturating_sub(self.permits.available_permits()) + idle, idle)
    }

    fn free(&self) -> StdMutexGuard<'_, Vec<PgConnection>> {
        // Nothing that is done under this lock leaves the list half changed.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn close(&self) {
        self.permits.close();
        let free = std::mem::take(&mut *self.free());
        for connection in free {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "a database connection did not close well");
            }
        }
    }
}

/// Waits for a connection no longer than a read may.
async fn within<T>(connection: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, DbErr> {
    timeout(ACQUIRE_TIMEOUT, connection).await.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map_err(failed)
}
