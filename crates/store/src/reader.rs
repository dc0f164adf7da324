//! The statements that most requests come down to: rows of a text and one more value.
//!
//! It goes past SeaORM to the driver that SeaORM stands on, whose calls moved more memory for one row than
//! the rest of the request. On SQLite it runs on connections that are kept out of the pool, which would check
//! each one after each use: that costs as much as the statement itself.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use sea_orm::{DatabaseConnection, DbBackend, DbErr, RuntimeErr, sqlx};
use sqlx::{
    AssertSqlSafe, ColumnIndex, Connection, Database, Decode, Encode, IntoArguments, PgPool, Postgres, Row,
    Sqlite, SqliteConnection, Type, database::HasStatementCache, query::Query,
};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

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
    Postgres(PgPool),
}

impl Reader {
    /// On SQLite it takes as many connections out of the pool as it may have, which opens others when it
    /// needs them.
    pub(crate) async fn new(pool: &DatabaseConnection, connections: u32) -> Result<Self, sqlx::Error> {
        if pool.get_database_backend() != DbBackend::Sqlite {
            return Ok(Self::Postgres(pool.get_postgres_connection_pool().clone()));
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
        let rows = match self {
            Self::Sqlite(kept) => kept.rows(sql, binds).await,
            Self::Postgres(pool) => query(sql, binds).fetch_all(pool).await.and_then(|rows| columns(&rows)),
        };
        rows.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(Arc::new(error))))
    }

    /// The text and the number in the first row, if there is one.
    pub(crate) async fn read(&self, sql: String, binds: Vec<Bind>) -> Result<Option<(String, i64)>, DbErr> {
        Ok(self.rows(sql, binds).await?.into_iter().next())
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(kept) => kept.close().await,
            // The pool is closed by whoever opened it.
            Self::Postgres(_) => {}
        }
    }
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
