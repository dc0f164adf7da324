//! The statements that most requests come down to: rows of a text and one more value.
//!
//! It goes past SeaORM to the driver that SeaORM stands on, whose calls moved more memory for one row than the rest
//! of the request. It runs on connections that are kept out of the pool, which would check each one after each use:
//! on SQLite that costs as much as the statement itself, on PostgreSQL it is one more way to the server and back.

mod kept;
mod lent;

use std::sync::Arc;

use sea_orm::{DatabaseConnection, DbBackend, DbErr, RuntimeErr, sqlx};
use sqlx::{
    AssertSqlSafe, ColumnIndex, Database, Decode, Encode, IntoArguments, Postgres, Row, Sqlite, Type,
    database::HasStatementCache, query::Query,
};
use uuid::Uuid;

use self::{kept::Kept, lent::Lent};

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
        Ok(Self::Sqlite(Kept::new(pool.get_sqlite_connection_pool(), connections).await?))
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
