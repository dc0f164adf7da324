//! Connections to SQLite for reads.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use sea_orm::sqlx::{self, Connection, SqliteConnection, SqlitePool};
use tokio::sync::{Mutex, MutexGuard};

use super::{Bind, Value, columns, query};
use crate::database::warn_unclosed;

/// Connections to SQLite that are kept out of the pool.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// Empty once closed.
    connections: Arc<[Mutex<Option<SqliteConnection>>]>,
    next: Arc<AtomicUsize>,
}

impl Kept {
    pub(super) async fn new(pool: &SqlitePool, connections: u32) -> Result<Self, sqlx::Error> {
        let mut kept = Vec::new();
        for _ in 0..connections {
            kept.push(Mutex::new(Some(pool.acquire().await?.detach())));
        }
        Ok(Self { connections: kept.into(), next: Arc::default() })
    }

    pub(super) async fn rows<T: Value>(
        &self,
        sql: String,
        binds: Vec<Bind>,
    ) -> Result<Vec<(String, T)>, sqlx::Error> {
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

    pub(super) fn open_and_idle(&self) -> (usize, usize) {
        let idle = self.connections.iter().filter(|kept| kept.try_lock().is_ok()).count();
        (self.connections.len(), idle)
    }

    pub(super) async fn close(&self) {
        for kept in &*self.connections {
            if let Some(connection) = kept.lock().await.take() {
                warn_unclosed(connection.close().await);
            }
        }
    }
}
