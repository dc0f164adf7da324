//! Connections: one that writes, some that read.

use std::{fmt::Display, time::Duration};

use inventory_migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database as SeaOrm, DatabaseConnection, DatabaseTransaction, DbBackend,
    DbErr, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait, Value,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};

use crate::{
    error::{OpenError, ReadError},
    reader::Reader,
    replay::REPLAY_CONNECTIONS,
    store::Config,
};

/// How long a statement of SQLite waits for another process that writes.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How many prepared statements a connection keeps. Batches of each size are statements of their own.
const STATEMENT_CACHE: usize = 256;
/// How long a read waits for a connection.
pub(crate) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection to PostgreSQL may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Settings of PostgreSQL's own.
const POSTGRES_SETTINGS: [(&str, &str); 4] = [
    // In milliseconds: a process that hangs with a lock must not stop the others.
    ("lock_timeout", "5000"),
    ("idle_in_transaction_session_timeout", "10000"),
    // What it costs to read a page anywhere, beside one in order. The default, 4, stands for a disk that turns, and has
    // the planner read a whole table for a twentieth of its rows.
    ("random_page_cost", "1.1"),
    // Many ask at once. To start further processes for a statement takes as long as most statements do, and what one
    // asker gains by them others lose.
    ("max_parallel_workers_per_gather", "0"),
];
/// The key of the advisory lock under which PostgreSQL's schema is migrated.
const MIGRATION_LOCK: i64 = 7_203_410;
/// How often an opening that meets a locked database is tried, and the pause between two tries.
const OPEN_ATTEMPTS: u32 = 50;
const OPEN_PAUSE: Duration = Duration::from_millis(100);

/// The connections to one database.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    /// The one connection that writes.
    writer: DatabaseConnection,
    /// The connections that read. On SQLite they cannot write.
    pub(crate) reader: DatabaseConnection,
    /// The same for the reads that most requests are.
    pub(crate) hot: Reader,
    /// Connections for the streams of clients.
    pub(crate) replay: DatabaseConnection,
    readers: u32,
}

impl Database {
    pub(crate) async fn open(config: &Config) -> Result<Self, OpenError> {
        let sqlite = match config.url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") if !config.url.contains(":memory:") => true,
            Some("postgres" | "postgresql") => false,
            _ => return Err(OpenError::Url(config.url.clone())),
        };
        let readers = config.readers.max(1);
        let writer = connect(options(&config.url, sqlite, 1, false)).await?;
        migrate(&writer, config.migrate).await?;
        let reader = connect(options(&config.url, sqlite, readers, true)).await?;
        let hot = Reader::new(&reader, readers).await;
        let hot = hot.map_err(|error| OpenError::Connect(error.to_string()))?;
        let replay = connect(options(&config.url, sqlite, REPLAY_CONNECTIONS, true)).await?;
        Ok(Self { writer, reader, hot, replay, readers })
    }

    pub(crate) fn backend(&self) -> DbBackend {
        self.reader.get_database_backend()
    }

    /// Begins a transaction that may write; on SQLite it has the write lock from the start.
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        self.writer.begin_with_options(immediate()).await
    }

    /// The connection that writes, for single statements.
    pub(crate) fn writer(&self) -> &DatabaseConnection {
        &self.writer
    }

    /// A statement for whichever database this is.
    pub(crate) fn statement(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.backend(), sql, values)
    }

    /// Connections that read, those of the pools and of the hot reader: open, idle, at most.
    pub(crate) fn readers(&self) -> (u64, u64, u64) {
        let (pool_open, pool_idle) = self.open_and_idle(&self.reader);
        let (replay_open, replay_idle) = self.open_and_idle(&self.replay);
        let (hot_open, hot_idle) = self.hot.connections();
        let open = u64::from(pool_open + replay_open) + hot_open as u64;
        let idle = pool_idle + replay_idle + hot_idle;
        (open, idle as u64, 2 * u64::from(self.readers) + u64::from(REPLAY_CONNECTIONS))
    }

    fn open_and_idle(&self, pool: &DatabaseConnection) -> (u32, usize) {
        if self.backend() == DbBackend::Sqlite {
            let pool = pool.get_sqlite_connection_pool();
            (pool.size(), pool.num_idle())
        } else {
            let pool = pool.get_postgres_connection_pool();
            (pool.size(), pool.num_idle())
        }
    }

    /// Closes the readers, then the writer, so that SQLite folds its log into its file.
    pub(crate) async fn close(&self) {
        self.hot.close().await;
        for connection in [&self.replay, &self.reader, &self.writer] {
            warn_unclosed(connection.close_by_ref().await);
        }
    }
}

/// Tells the log of a connection that did not close well, which keeps no other from closing.
pub(crate) fn warn_unclosed<E: Display>(closed: Result<(), E>) {
    if let Err(error) = closed {
        tracing::warn!(%error, "a database connection did not close well");
    }
}

fn immediate() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}

async fn connect(options: ConnectOptions) -> Result<DatabaseConnection, OpenError> {
    let mut attempt = 1;
    loop {
        match SeaOrm::connect(options.clone()).await {
            // Two processes that turn on the write-ahead log of a new file at once meet this, and SQLite
            // does not wait for it by itself.
            Err(error) if attempt < OPEN_ATTEMPTS && error.to_string().contains("database is locked") => {
                attempt += 1;
                tokio::time::sleep(OPEN_PAUSE).await;
            }
            connected => return connected.map_err(|error| OpenError::Connect(error.to_string())),
        }
    }
}

fn options(url: &str, sqlite: bool, connections: u32, read_only: bool) -> ConnectOptions {
    let mut options = ConnectOptions::new(url.to_owned());
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .sqlx_logging(false)
        .max_lifetime(None);
    if sqlite {
        // A connection to a file does not go stale.
        options.idle_timeout(None).test_before_acquire(false);
        options.map_sqlx_sqlite_opts(move |options| {
            let options = options
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .foreign_keys(true)
                .busy_timeout(SQLITE_BUSY_TIMEOUT)
                // What would undo an insert of many rows is as large as the pages that it changes. A file for it
                // was made, filled and removed for each batch of creates.
                .pragma("temp_store", "memory")
                .statement_cache_capacity(STATEMENT_CACHE);
            if read_only { options.pragma("query_only", "on") } else { options.optimize_on_close(true, None) }
        });
    } else {
        options.test_before_acquire_if_idle_for(Duration::from_secs(30));
        options.map_sqlx_postgres_opts(|options| {
            options
                .application_name("inventory")
                .statement_cache_capacity(STATEMENT_CACHE)
                .options(POSTGRES_SETTINGS)
        });
    }
    options
}

/// Brings the schema up to date, in one transaction that keeps every other process out: the write lock of
/// SQLite, an advisory lock of PostgreSQL.
async fn migrate(writer: &DatabaseConnection, allowed: bool) -> Result<(), OpenError> {
    let failed = |error: DbErr| OpenError::Migrate(error.to_string());
    let pending = Migrator::get_pending_migrations_read_only(writer).await.map_err(failed)?.len();
    if pending == 0 {
        return Ok(());
    }
    if !allowed {
        return Err(OpenError::Outdated(pending));
    }
    let transaction = writer.begin_with_options(immediate()).await.map_err(failed)?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        // However long another process takes to migrate.
        let lock = format!("SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
        transaction.execute_unprepared(&lock).await.map_err(failed)?;
    }
    tracing::info!(migrations = pending, "bringing the schema up to date");
    Migrator::up(&transaction, None).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

impl From<DbErr> for ReadError {
    fn from(error: DbErr) -> Self {
        Self::Unavailable(error.to_string())
    }
}
