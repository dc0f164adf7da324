//! Pools of connections, each statement bounded by a deadline.

use std::time::Duration;

use deadpool::{
    Runtime,
    managed::{self, PoolError, TimeoutType},
};
use futures::future::join_all;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use tokio::time::timeout;

use super::{
    availability::Availability,
    connection::Options,
    file::DatabaseFile,
    lease::{Lease, Manager},
    limits::{StatementLimits, connection_error},
    statement::{Bind, Value},
    transaction::Transaction,
};
use crate::db::error_class::{DbErrorClass, classify};

/// How long a statement waits for a connection that others use.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may take to open.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may take to close. SQLite moves its write-ahead log into its file meanwhile.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections of the same options, opened when needed. Clones are the same pool.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    pool: managed::Pool<Manager>,
    backend: DbBackend,
    limits: StatementLimits,
}

impl Connections {
    /// A pool of at most `size` connections.
    pub(crate) fn new(
        options: Options,
        size: usize,
        deadline: Duration,
        availability: Availability,
        gives_up: bool,
        file: Option<DatabaseFile>,
    ) -> Result<Self, DbErr> {
        let backend = options.backend();
        let pool = managed::Pool::builder(Manager::new(options, file, availability.clone()))
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT_TIMEOUT))
            .create_timeout(Some(CONNECT_TIMEOUT))
            .queue_mode(managed::QueueMode::Lifo)
            .build()
            .map_err(|error| DbErr::Conn(RuntimeErr::Internal(error.to_string())))?;
        Ok(Self { pool, backend, limits: StatementLimits { deadline, availability, gives_up } })
    }

    pub(crate) fn backend(&self) -> DbBackend {
        self.backend
    }

    /// Begins a transaction with this statement.
    pub(crate) async fn begin(&self, sql: &str) -> Result<Transaction, DbErr> {
        let mut lease = self.lease().await?;
        let mut begun = self.limits.bounded(lease.begin(sql)).await?;
        if let Err(error) = &begun
            && self.is_stale(&lease, error)
        {
            lease = self.replace(lease).await?;
            begun = self.limits.bounded(lease.begin(sql)).await?;
        }
        begun?;
        Ok(Transaction::new(self.backend, self.limits.clone(), lease))
    }

    /// The rows, each a text and a value.
    pub(crate) async fn rows<T: Value>(
        &self,
        sql: String,
        binds: Vec<Bind>,
    ) -> Result<Vec<(String, T)>, DbErr> {
        on_a_connection!(self, connection => connection.rows(sql.clone(), binds.clone()))
    }

    /// The text and the number in the first row, if there is one.
    pub(crate) async fn read(&self, sql: String, binds: Vec<Bind>) -> Result<Option<(String, i64)>, DbErr> {
        Ok(self.rows(sql, binds).await?.into_iter().next())
    }

    /// Its connections: open, idle.
    pub(crate) fn open_and_idle(&self) -> (usize, usize) {
        let status = self.pool.status();
        (status.size, status.available.min(status.size))
    }

    /// Closes the connections that are idle, and each other one when it comes back.
    pub(crate) async fn close(&self) {
        let idle = self.pool.retain(|_, _| false).removed;
        self.pool.close();
        let closing = idle.into_iter().map(|pooled| timeout(CLOSE_TIMEOUT, pooled.connection.close()));
        for closed in join_all(closing).await {
            match closed {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "connection closed uncleanly"),
                Err(_elapsed) => tracing::warn!("connection not closed in time"),
            }
        }
    }

    async fn lease(&self) -> Result<Lease, DbErr> {
        self.limits.check()?;
        let connection = self.limits.bounded(self.pool.get()).await?;
        connection.map(Lease::new).map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(TimeoutType::Wait) => {
                connection_error(format!("no connection became free within {} s", WAIT_TIMEOUT.as_secs()))
            }
            PoolError::Timeout(_) => connection_error(format!(
                "no connection could be opened within {} s",
                CONNECT_TIMEOUT.as_secs()
            )),
            error => connection_error(error.to_string()),
        })
    }

    /// Whether the server closed the connection while it was idle.
    fn is_stale(&self, lease: &Lease, error: &DbErr) -> bool {
        lease.was_used_before()
            && self.backend == DbBackend::Postgres
            && classify(error) == DbErrorClass::Disconnected
    }

    /// If the server closed one idle connection it closed the others too: drops them all and opens a new one.
    async fn replace(&self, stale: Lease) -> Result<Lease, DbErr> {
        drop(stale);
        self.pool.retain(|_, _| false);
        self.lease().await
    }
}

/// Runs a statement on a connection of a pool, and once more on a new one if the server had closed it.
macro_rules! on_a_connection {
    ($pool:expr, $connection:ident => $statement:expr) => {{
        let mut $connection = $pool.lease().await?;
        match $pool.limits.bounded($statement).await? {
            Err(error) if $pool.is_stale(&$connection, &error) => {
                let mut $connection = $pool.replace($connection).await?;
                $pool.limits.bounded($statement).await?
            }
            result => result,
        }
    }};
}
use on_a_connection;

#[async_trait::async_trait]
impl ConnectionTrait for Connections {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        on_a_connection!(self, connection => connection.execute(statement.clone()))
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        on_a_connection!(self, connection => connection.execute_unprepared(sql.to_owned()))
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        on_a_connection!(self, connection => connection.query_one(statement.clone()))
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        on_a_connection!(self, connection => connection.query_all(statement.clone()))
    }
}
