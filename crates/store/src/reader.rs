//! The statement that most requests come down to: one that answers with a text and a number.
//!
//! On SQLite it runs on connections that are kept out of the pool, which would check each one after each
//! use: that costs as much as the statement itself.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Statement, Value, sqlx};
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

/// A value of an SQL parameter.
#[derive(Debug, Clone)]
pub(crate) enum Bind {
    Id(Uuid),
    Text(String),
    Integer(i64),
}

impl From<Bind> for Value {
    fn from(bind: Bind) -> Self {
        match bind {
            Bind::Id(id) => id.into(),
            Bind::Text(text) => text.into(),
            Bind::Integer(integer) => integer.into(),
        }
    }
}

/// Connections for reads.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    pool: DatabaseConnection,
    /// Of SQLite only. Empty once closed.
    kept: Arc<[Mutex<Option<SqliteConnection>>]>,
    next: Arc<AtomicUsize>,
}

impl Reader {
    /// Takes as many connections out of the pool as it may have, which opens others when it needs them.
    pub(crate) async fn new(pool: DatabaseConnection, connections: u32) -> Result<Self, sqlx::Error> {
        let mut kept = Vec::new();
        if pool.get_database_backend() == DbBackend::Sqlite {
            for _ in 0..connections {
                let connection = pool.get_sqlite_connection_pool().acquire().await?.detach();
                kept.push(Mutex::new(Some(connection)));
            }
        }
        Ok(Self { pool, kept: kept.into(), next: Arc::default() })
    }

    /// The text and the number in the first row, if there is one.
    pub(crate) async fn read(&self, sql: String, binds: Vec<Bind>) -> Result<Option<(String, i64)>, DbErr> {
        if !self.kept.is_empty() {
            return self
                .read_kept(sql, binds)
                .await
                .map_err(|error| DbErr::Query(RuntimeErr::SqlxError(Arc::new(error))));
        }
        let values = binds.into_iter().map(Value::from);
        let statement = Statement::from_sql_and_values(self.pool.get_database_backend(), sql, values);
        let Some(row) = self.pool.query_one_raw(statement).await? else { return Ok(None) };
        Ok(Some((row.try_get_by_index(0)?, row.try_get_by_index(1)?)))
    }

    async fn read_kept(&self, sql: String, binds: Vec<Bind>) -> Result<Option<(String, i64)>, sqlx::Error> {
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for bind in binds {
            query = match bind {
                Bind::Id(id) => query.bind(id),
                Bind::Text(text) => query.bind(text),
                Bind::Integer(integer) => query.bind(integer),
            };
        }
        let mut connection = self.connection().await;
        let connection = connection.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        let Some(row) = query.fetch_optional(connection).await? else { return Ok(None) };
        Ok(Some((row.try_get(0)?, row.try_get(1)?)))
    }

    /// A connection that is free, or the next one to become so.
    async fn connection(&self) -> MutexGuard<'_, Option<SqliteConnection>> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let turn = |offset: usize| &self.kept[(first.wrapping_add(offset)) % self.kept.len()];
        for offset in 0..self.kept.len() {
            if let Ok(free) = turn(offset).try_lock() {
                return free;
            }
        }
        turn(0).lock().await
    }

    pub(crate) async fn close(&self) {
        for kept in &*self.kept {
            if let Some(connection) = kept.lock().await.take()
                && let Err(error) = connection.close().await
            {
                tracing::warn!(%error, "a database connection did not close well");
            }
        }
    }
}
