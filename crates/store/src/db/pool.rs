//! Pools of connections, each statement bounded by a deadline.

use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};

use deadpool::{
    Runtime,
    managed::{self, Metrics, Object, PoolError, RecycleError, RecycleResult, TimeoutType},
};
use futures::future::join_all;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use tokio::time::timeout;

use super::{
    availability::Availability,
    connection::{Connection, Options},
    file::DatabaseFile,
    statement::{Bind, Value},
    transaction::Transaction,
};
use crate::fault::{Fault, fault};

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
    /// How long one statement may take. Then its connection is closed.
    deadline: Duration,
    availability: Availability,
    /// Whether a statement is given up when the database is known to be away.
    gives_up: bool,
}

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
    connection: Connection,
    outages: u64,
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
        let pool = managed::Pool::builder(Manager { options, file, availability: availability.clone() })
            .max_size(size)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT_TIMEOUT))
            .create_timeout(Some(CONNECT_TIMEOUT))
            .queue_mode(managed::QueueMode::Lifo)
            .build()
            .map_err(|error| DbErr::Conn(RuntimeErr::Internal(error.to_string())))?;
        Ok(Self { pool, backend, deadline, availability, gives_up })
    }

    pub(crate) fn backend(&self) -> DbBackend {
        self.backend
    }

    /// Begins a transaction with this statement.
    pub(crate) async fn begin(&self, sql: &str) -> Result<Transaction, DbErr> {
        let mut lease = self.lease().await?;
        let mut begun = self.bounded(lease.begin(sql)).await?;
        if let Err(error) = &begun
            && self.is_stale(&lease, error)
        {
            lease = self.replace(lease).await?;
            begun = self.bounded(lease.begin(sql)).await?;
        }
        begun?;
        Ok(Transaction::new(self.clone(), lease))
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

    /// Waits for one thing that a connection does. The outer error is that it takes too long, or that the database is
    /// away. The connection, which is in the middle of it, is closed when its lease is dropped.
    pub(super) async fn bounded<T>(&self, statement: impl Future<Output = T>) -> Result<T, DbErr> {
        tokio::select! {
            biased;
            result = statement => Ok(result),
            error = self.lost() => Err(error),
            () = tokio::time::sleep(self.deadline) => {
                Err(connection_error(format!("no answer within {} s", self.deadline.as_secs())))
            }
        }
    }

    async fn lost(&self) -> DbErr {
        if self.gives_up {
            connection_error(self.availability.lost().await)
        } else {
            std::future::pending().await
        }
    }

    async fn lease(&self) -> Result<Lease, DbErr> {
        if self.gives_up {
            self.availability.check().map_err(connection_error)?;
        }
        let connection = self.bounded(self.pool.get()).await?;
        connection.map(|connection| Lease(Some(connection))).map_err(|error| match error {
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
        lease.was_used_before() && self.backend == DbBackend::Postgres && fault(error) == Fault::Disconnected
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
        match $pool.bounded($statement).await? {
            Err(error) if $pool.is_stale(&$connection, &error) => {
                let mut $connection = $pool.replace($connection).await?;
                $pool.bounded($statement).await?
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

/// A connection in use. It goes back to its pool when this is dropped, or is closed if something on it did not end.
#[derive(Debug)]
pub(super) struct Lease(Option<Object<Manager>>);

impl Lease {
    fn was_used_before(&self) -> bool {
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

fn connection_error(message: impl Into<String>) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(message.into()))
}
