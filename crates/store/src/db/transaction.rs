//! A transaction on a connection that is used again only if the transaction was seen to end.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use tokio::sync::Mutex;

use super::{lease::Lease, limits::StatementLimits};

/// The name of every savepoint. The databases take the newest of a name.
const SAVEPOINT: &str = "undo";

/// An open transaction. Dropped without [`Transaction::commit`] or [`Transaction::rollback`], or after a failure, it
/// closes its connection, and the database rolls back.
#[derive(Debug)]
pub(crate) struct Transaction {
    backend: DbBackend,
    limits: StatementLimits,
    lease: Mutex<Lease>,
}

impl Transaction {
    pub(super) fn new(backend: DbBackend, limits: StatementLimits, lease: Lease) -> Self {
        Self { backend, limits, lease: Mutex::new(lease) }
    }

    /// Commits. After an error the transaction may have been committed or not.
    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        let Self { backend: _, limits, lease } = self;
        let mut connection = lease.into_inner();
        limits.bounded(connection.commit()).await?
    }

    /// Rolls back.
    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        let Self { backend: _, limits, lease } = self;
        let mut connection = lease.into_inner();
        limits.bounded(connection.rollback()).await?
    }

    /// Marks the point to which [`Transaction::undo`] goes back.
    pub(crate) async fn savepoint(&self) -> Result<(), DbErr> {
        self.execute_unprepared(&format!("SAVEPOINT {SAVEPOINT}")).await.map(drop)
    }

    /// Keeps what was done since the last savepoint, which is gone then.
    pub(crate) async fn release(&self) -> Result<(), DbErr> {
        self.execute_unprepared(&format!("RELEASE SAVEPOINT {SAVEPOINT}")).await.map(drop)
    }

    /// Undoes what was done since the last savepoint, which is gone then.
    pub(crate) async fn undo(&self) -> Result<(), DbErr> {
        let sql = format!("ROLLBACK TO SAVEPOINT {SAVEPOINT}; RELEASE SAVEPOINT {SAVEPOINT}");
        self.execute_unprepared(&sql).await.map(drop)
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.limits.bounded(self.lease.lock().await.execute(statement)).await?
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.limits.bounded(self.lease.lock().await.execute_unprepared(sql.to_owned())).await?
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.limits.bounded(self.lease.lock().await.query_one(statement)).await?
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.limits.bounded(self.lease.lock().await.query_all(statement)).await?
    }
}
