//! One connection, and whether it can be used again.

use sea_orm::{
    DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement, Values,
    sqlx::{
        self, AssertSqlSafe, Connection as _, Executor, PgConnection, SqliteConnection,
        postgres::PgConnectOptions, sqlite::SqliteConnectOptions,
    },
};
use sea_query_sqlx::SqlxValues;

use super::{
    socket,
    statement::{Bind, Value, columns, query},
};
use crate::db::error_class::{DbErrorClass, classify};

/// How a connection is opened.
#[derive(Debug, Clone)]
pub(crate) enum Options {
    Sqlite(SqliteConnectOptions),
    Postgres(PgConnectOptions),
}

impl Options {
    pub(crate) fn backend(&self) -> DbBackend {
        match self {
            Self::Sqlite(_) => DbBackend::Sqlite,
            Self::Postgres(_) => DbBackend::Postgres,
        }
    }
}

/// A connection that is used for one statement at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    driver: Driver,
    /// A statement was sent and its end was not seen.
    in_statement: bool,
    /// A transaction was begun and its end was not seen.
    in_transaction: bool,
}

#[derive(Debug)]
enum Driver {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Connection {
    pub(crate) async fn open(options: &Options) -> Result<Self, DbErr> {
        let driver = match options {
            Options::Sqlite(options) => SqliteConnection::connect_with(options).await.map(Driver::Sqlite),
            Options::Postgres(options) => {
                let connection = PgConnection::connect_with(options).await.map(Driver::Postgres);
                socket::tune(options.get_port());
                connection
            }
        };
        let driver = driver.map_err(|error| DbErr::Conn(sqlx_error(error)))?;
        Ok(Self { driver, in_statement: false, in_transaction: false })
    }

    /// Whether every statement and transaction on it was seen to end.
    pub(crate) fn is_reusable(&self) -> bool {
        !self.in_statement && !self.in_transaction
    }

    pub(super) async fn execute(&mut self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.in_statement = true;
        let (sql, values) = parts(statement);
        let result = match &mut self.driver {
            Driver::Sqlite(driver) => {
                sqlx::query_with(sql, values).execute(driver).await.map(ExecResult::from)
            }
            Driver::Postgres(driver) => {
                sqlx::query_with(sql, values).execute(driver).await.map(ExecResult::from)
            }
        };
        self.ended(result.map_err(|error| DbErr::Exec(sqlx_error(error))))
    }

    /// Runs statements without parameters, one after the other up to the first that fails.
    pub(super) async fn execute_unprepared(&mut self, sql: String) -> Result<ExecResult, DbErr> {
        self.in_statement = true;
        let result = match &mut self.driver {
            Driver::Sqlite(driver) => driver.execute(AssertSqlSafe(sql)).await.map(ExecResult::from),
            Driver::Postgres(driver) => driver.execute(AssertSqlSafe(sql)).await.map(ExecResult::from),
        };
        self.ended(result.map_err(|error| DbErr::Exec(sqlx_error(error))))
    }

    pub(super) async fn query_one(&mut self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.in_statement = true;
        let (sql, values) = parts(statement);
        let result = match &mut self.driver {
            Driver::Sqlite(driver) => {
                let row = sqlx::query_with(sql, values).fetch_optional(driver).await;
                row.map(|row| row.map(QueryResult::from))
            }
            Driver::Postgres(driver) => {
                let row = sqlx::query_with(sql, values).fetch_optional(driver).await;
                row.map(|row| row.map(QueryResult::from))
            }
        };
        self.ended(result.map_err(|error| DbErr::Query(sqlx_error(error))))
    }

    pub(super) async fn query_all(&mut self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.in_statement = true;
        let (sql, values) = parts(statement);
        let result = match &mut self.driver {
            Driver::Sqlite(driver) => {
                let rows = sqlx::query_with(sql, values).fetch_all(driver).await;
                rows.map(|rows| rows.into_iter().map(QueryResult::from).collect())
            }
            Driver::Postgres(driver) => {
                let rows = sqlx::query_with(sql, values).fetch_all(driver).await;
                rows.map(|rows| rows.into_iter().map(QueryResult::from).collect())
            }
        };
        self.ended(result.map_err(|error| DbErr::Query(sqlx_error(error))))
    }

    /// The rows, each a text and a value.
    pub(super) async fn rows<T: Value>(
        &mut self,
        sql: String,
        binds: Vec<Bind>,
    ) -> Result<Vec<(String, T)>, DbErr> {
        self.in_statement = true;
        let result = match &mut self.driver {
            Driver::Sqlite(driver) => {
                query(sql, binds).fetch_all(driver).await.and_then(|rows| columns(&rows))
            }
            Driver::Postgres(driver) => {
                query(sql, binds).fetch_all(driver).await.and_then(|rows| columns(&rows))
            }
        };
        self.ended(result.map_err(|error| DbErr::Query(sqlx_error(error))))
    }

    /// Begins a transaction with this statement, which the database refuses inside a transaction.
    pub(super) async fn begin(&mut self, sql: &str) -> Result<(), DbErr> {
        self.in_transaction = true;
        self.execute_unprepared(sql.to_owned()).await.map(drop)
    }

    /// Commits, and proves that no transaction is open afterwards.
    ///
    /// SQLite refuses to change `synchronous` inside a transaction, so the second statement is the proof. It goes to
    /// the database together with the first. PostgreSQL's answer to `COMMIT` is proof enough: it commits or fails,
    /// unless a statement before it failed, and a connection on which one did is never committed.
    pub(super) async fn commit(&mut self) -> Result<(), DbErr> {
        let sql = match &self.driver {
            Driver::Sqlite(_) => "COMMIT; PRAGMA synchronous = FULL",
            Driver::Postgres(_) => "COMMIT",
        };
        self.execute_unprepared(sql.to_owned()).await?;
        self.in_transaction = false;
        Ok(())
    }

    pub(super) async fn rollback(&mut self) -> Result<(), DbErr> {
        self.execute_unprepared("ROLLBACK".to_owned()).await?;
        self.in_transaction = false;
        Ok(())
    }

    pub(crate) async fn close(self) -> Result<(), DbErr> {
        let closed = match self.driver {
            Driver::Sqlite(driver) => driver.close().await,
            Driver::Postgres(driver) => driver.close().await,
        };
        closed.map_err(|error| DbErr::Conn(sqlx_error(error)))
    }

    /// Notes the end of a statement. After an error other than a refused value or a lock conflict the connection is
    /// not used again: a full disk or an I/O error ends SQLite's transaction in silence.
    fn ended<T>(&mut self, result: Result<T, DbErr>) -> Result<T, DbErr> {
        self.in_statement = match &result {
            Ok(_) => false,
            Err(error) => !matches!(classify(error), DbErrorClass::Unique | DbErrorClass::Transient),
        };
        result
    }
}

fn parts(statement: Statement) -> (AssertSqlSafe<String>, SqlxValues) {
    (AssertSqlSafe(statement.sql), SqlxValues(statement.values.unwrap_or(Values(Vec::new()))))
}

fn sqlx_error(error: sqlx::Error) -> RuntimeErr {
    RuntimeErr::SqlxError(error.into())
}
