//! One database: its pools of connections, and how it is opened and closed.

use std::{path::PathBuf, str::FromStr, time::Duration};

use futures::future::join_all;
use inventory_migration::{RELEASE, Schema, inspect};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr, SqliteTransactionMode,
    SqlxPostgresConnector, SqlxSqliteConnector, Statement, TransactionOptions, TransactionTrait, Value,
    sqlx::{
        ConnectOptions as _,
        pool::PoolOptions,
        postgres::PgConnectOptions,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};

use tokio::time::{Instant, timeout};

use crate::{
    config::Config,
    db::{
        Availability, CONNECT_TIMEOUT, Connection, Connections, DatabaseFile, Options, Transaction,
        error_class::{DbErrorClass, classify},
        url::DatabaseUrl,
    },
    error::OpenError,
};

/// How many connections read the log for the streams of clients, and so how many of them read it at once.
pub(crate) const REPLAY_CONNECTIONS: u32 = 2;
/// How long a statement of SQLite waits for another process that writes.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The size above which SQLite's write-ahead log is cut back when nobody reads it any more, in bytes. It stays far below
/// it by itself, unless a reader outside of the service holds an old state for long.
const WAL_LIMIT: u64 = 16 << 20;
/// Maximum number of prepared statements that a connection keeps. Each batch size is a separate statement.
const STATEMENT_CACHE: usize = 256;
/// How long a statement of a request may take.
const REQUEST_DEADLINE: Duration = Duration::from_secs(15);
/// How long the poll of the event log may take before the database counts as unavailable.
const POLL_DEADLINE: Duration = Duration::from_secs(2);
/// How long a statement may take whose cost grows with the database: an audit, a check, a repair.
const LONG_DEADLINE: Duration = Duration::from_mins(15);
/// How many connections long statements use: a check reads the log beside its snapshot.
const LONG_CONNECTIONS: usize = 2;
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
/// How long opening is tried again while the server starts or the file is locked, and the pause between two tries.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
const OPEN_PAUSE: Duration = Duration::from_millis(100);

/// What is said of a database that does not answer at the start.
const NO_ANSWER: &str = "the server accepts connections and does not answer";

/// The connections to one database.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    /// The one connection that writes.
    writer: Connections,
    /// The connections that read. On SQLite they cannot write.
    pub(crate) reader: Connections,
    /// The same for the reads that most requests are.
    pub(crate) hot: Connections,
    /// The connection of the poll of the event log, which finds out whether the database answers.
    pub(crate) poll: Connections,
    /// Connections for the streams of clients.
    pub(crate) replay: Connections,
    /// For statements whose cost grows with the database.
    pub(crate) long: Connections,
    pub(crate) availability: Availability,
    /// `None` on PostgreSQL.
    file: Option<DatabaseFile>,
    readers: u32,
}

impl Database {
    pub(crate) async fn open(config: &Config) -> Result<Self, OpenError> {
        let options = DatabaseUrl::from_str(&config.url)?;
        options.reach().await?;
        options.migrate(config.migrate).await?;
        let availability = Availability::default();
        let readers = config.readers.max(1);
        let file = options.file()?;
        let pool = |access, size, deadline, gives_up| {
            let connection = options.connection(access, deadline);
            Connections::new(connection, size, deadline, availability.clone(), gives_up, file.clone())
                .map_err(|error| OpenError::Connect(error.to_string()))
        };
        // What finds out whether the database is away does not give up, nor does what may take minutes.
        Ok(Self {
            writer: pool(Access::Write, 1, REQUEST_DEADLINE, true)?,
            reader: pool(Access::Read, readers as usize, REQUEST_DEADLINE, true)?,
            hot: pool(Access::Read, readers as usize, REQUEST_DEADLINE, true)?,
            replay: pool(Access::Read, REPLAY_CONNECTIONS as usize, REQUEST_DEADLINE, true)?,
            poll: pool(Access::Read, 1, POLL_DEADLINE, false)?,
            long: pool(Access::Read, LONG_CONNECTIONS, LONG_DEADLINE, false)?,
            availability,
            file: file.clone(),
            readers,
        })
    }

    /// The file behind the URL of a SQLite database, `None` for PostgreSQL.
    pub(crate) fn sqlite_file(url: &str) -> Result<Option<PathBuf>, OpenError> {
        Ok(match DatabaseUrl::from_str(url)? {
            DatabaseUrl::Sqlite(options) => Some(options.get_filename().to_owned()),
            DatabaseUrl::Postgres(_) => None,
        })
    }

    pub(crate) fn backend(&self) -> DbBackend {
        self.reader.backend()
    }

    /// Begins a transaction that may write; on SQLite it has the write lock from the start.
    pub(crate) async fn begin(&self) -> Result<Transaction, DbErr> {
        self.writer.begin(if self.backend() == DbBackend::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" }).await
    }

    /// Begins a transaction that reads one state of the database, for as long as it takes.
    pub(crate) async fn begin_snapshot(&self) -> Result<Transaction, DbErr> {
        let sql = match self.backend() {
            // A transaction of SQLite is a snapshot from its first read on.
            DbBackend::Sqlite => "BEGIN",
            _ => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        };
        self.long.begin(sql).await
    }

    /// The connection that writes, for single statements.
    pub(crate) fn writer(&self) -> &Connections {
        &self.writer
    }

    /// A statement for whichever database this is.
    pub(crate) fn statement(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.backend(), sql, values)
    }

    /// Whether the file of a SQLite database is still the one that was opened.
    pub(crate) fn verify_file(&self) -> Result<(), DbErr> {
        self.file.as_ref().map_or(Ok(()), DatabaseFile::verify)
    }

    /// Cuts back SQLite's write-ahead log if it is large and nobody reads an old state any more.
    pub(crate) async fn truncate_wal(&self) -> Result<(), DbErr> {
        if self.file.as_ref().is_none_or(|file| file.wal_bytes() <= WAL_LIMIT) {
            return Ok(());
        }
        // This waits for nobody. The next step would hold up writers while it waits for readers.
        let passive = self.statement("PRAGMA wal_checkpoint(PASSIVE)", []);
        let row = self.long.query_one_raw(passive).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound("the result of a checkpoint".to_owned()))?;
        let (frames, moved): (i64, i64) = (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        if frames == moved {
            self.long.query_one_raw(self.statement("PRAGMA wal_checkpoint(TRUNCATE)", [])).await?;
        }
        Ok(())
    }

    /// Connections that read for requests: open, idle, at most.
    pub(crate) fn readers(&self) -> (u64, u64, u64) {
        let pools = [&self.reader, &self.hot, &self.replay].map(Connections::open_and_idle);
        let open: usize = pools.iter().map(|(open, _)| open).sum();
        let idle: usize = pools.iter().map(|(_, idle)| idle).sum();
        (open as u64, idle as u64, 2 * u64::from(self.readers) + u64::from(REPLAY_CONNECTIONS))
    }

    /// Closes the readers, then the writer, so that SQLite folds its log into its file.
    pub(crate) async fn close(&self) {
        join_all([&self.hot, &self.reader, &self.replay, &self.poll, &self.long].map(Connections::close))
            .await;
        self.writer.close().await;
    }
}

/// What a connection may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

impl DatabaseUrl {
    fn connection(&self, access: Access, deadline: Duration) -> Options {
        match self {
            Self::Sqlite(options) => Options::Sqlite(sqlite(options.clone(), access)),
            Self::Postgres(options) => Options::Postgres(postgres(options.clone(), deadline)),
        }
    }

    /// The file of a SQLite database, which must be there.
    fn file(&self) -> Result<Option<DatabaseFile>, OpenError> {
        match self {
            Self::Sqlite(options) => DatabaseFile::open(options.get_filename())
                .map(Some)
                .map_err(|error| OpenError::Connect(error.to_string())),
            Self::Postgres(_) => Ok(None),
        }
    }

    /// Opens a first connection, which makes the file of a new SQLite database, and closes it.
    async fn reach(&self) -> Result<(), OpenError> {
        let options = match self.connection(Access::Write, LONG_DEADLINE) {
            Options::Sqlite(options) => Options::Sqlite(options.create_if_missing(true)),
            options @ Options::Postgres(_) => options,
        };
        let no_answer = || DbErr::Conn(RuntimeErr::Internal(NO_ANSWER.to_owned()));
        let give_up = Instant::now() + OPEN_TIMEOUT;
        loop {
            let opened = timeout(CONNECT_TIMEOUT, Connection::open(&options)).await;
            match opened.unwrap_or_else(|_elapsed| Err(no_answer())) {
                Ok(connection) => {
                    return connection.close().await.map_err(|error| OpenError::Connect(error.to_string()));
                }
                // A server that starts refuses connections at first. Two processes that turn on the write-ahead log
                // of a new file at once meet a lock for which SQLite does not wait.
                Err(error)
                    if Instant::now() < give_up
                        && matches!(
                            classify(&error),
                            DbErrorClass::Transient | DbErrorClass::Disconnected
                        ) =>
                {
                    tokio::time::sleep(OPEN_PAUSE).await;
                }
                Err(error) => return Err(OpenError::Connect(error.to_string())),
            }
        }
    }

    /// Brings the schema up to date on a connection for that alone.
    async fn migrate(&self, allowed: bool) -> Result<(), OpenError> {
        let failed = |error: sea_orm::sqlx::Error| OpenError::Connect(error.to_string());
        let connection = match self.connection(Access::Write, LONG_DEADLINE) {
            Options::Sqlite(options) => SqlxSqliteConnector::from_sqlx_sqlite_pool(
                PoolOptions::new().max_connections(1).connect_with(options).await.map_err(failed)?,
            ),
            Options::Postgres(options) => SqlxPostgresConnector::from_sqlx_postgres_pool(
                PoolOptions::new().max_connections(1).connect_with(options).await.map_err(failed)?,
            ),
        };
        let migrated = migrate(&connection, allowed).await;
        let closed = connection.close().await;
        migrated?;
        closed.map_err(|error| OpenError::Migrate(error.to_string()))
    }
}

fn sqlite(options: SqliteConnectOptions, access: Access) -> SqliteConnectOptions {
    let options = options
        // A file that was deleted must not come back empty.
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(SQLITE_BUSY_TIMEOUT)
        // What would undo an insert of many rows is as large as the pages that it changes. A file for it was made,
        // filled and removed for each batch of creates.
        .pragma("temp_store", "memory")
        .pragma("journal_size_limit", WAL_LIMIT.to_string())
        .statement_cache_capacity(STATEMENT_CACHE)
        .disable_statement_logging();
    match access {
        Access::Read => options.pragma("query_only", "on"),
        Access::Write => options.optimize_on_close(true, None),
    }
}

fn postgres(options: PgConnectOptions, deadline: Duration) -> PgConnectOptions {
    let deadline = deadline.as_millis().to_string();
    options
        .application_name("inventory")
        .statement_cache_capacity(STATEMENT_CACHE)
        .options(POSTGRES_SETTINGS)
        // The process gives up at the same time; this has the server stop too.
        .options([("statement_timeout", &*deadline)])
        .disable_statement_logging()
}

/// Brings the schema up to date, in one transaction that keeps every other process out: the write lock of
/// SQLite, an advisory lock of PostgreSQL.
async fn migrate(writer: &DatabaseConnection, allowed: bool) -> Result<(), OpenError> {
    let failed = |error: DbErr| OpenError::Migrate(error.to_string());
    let pending = pending(inspect(writer).await.map_err(failed)?)?;
    if pending == 0 {
        return Ok(());
    }
    if !allowed {
        return Err(OpenError::Outdated(pending));
    }
    let immediate = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = writer.begin_with_options(immediate).await.map_err(failed)?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        // However long another process takes to migrate.
        let lock = format!("SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
        transaction.execute_unprepared(&lock).await.map_err(failed)?;
    }
    // Another process, of a later release perhaps, may have migrated meanwhile.
    let pending = self::pending(inspect(&transaction).await.map_err(failed)?)?;
    if pending > 0 {
        tracing::info!(migrations = pending, "migrating the database schema");
        inventory_migration::migrate(&transaction).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

/// How many migrations are not applied, if this release can work with the schema.
fn pending(schema: Schema) -> Result<usize, OpenError> {
    match schema {
        Schema::Current => Ok(0),
        Schema::Outdated(pending) => Ok(pending),
        Schema::Later(migrations) => {
            tracing::info!(migrations, "the database schema is of a compatible later release");
            Ok(0)
        }
        Schema::TooNew(needed) => Err(OpenError::TooNew { release: RELEASE, needed }),
        Schema::Undeclared(migration) => Err(OpenError::Undeclared { release: RELEASE, migration }),
    }
}
