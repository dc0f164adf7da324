//! Statements whose rows are a text and one more value: those behind most requests.
//!
//! They skip SeaORM, whose calls moved more memory for one row than the rest of the request.

use sea_orm::sqlx::{
    self, AssertSqlSafe, ColumnIndex, Database, Decode, Encode, IntoArguments, Postgres, Row, Sqlite, Type,
    database::HasStatementCache, query::Query,
};
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

/// A statement with its parameters.
pub(super) fn query<'q, D: Database + HasStatementCache>(
    sql: String,
    binds: Vec<Bind>,
) -> Query<'q, D, D::Arguments>
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

pub(super) fn columns<R: Row, T>(rows: &[R]) -> Result<Vec<(String, T)>, sqlx::Error>
where
    usize: ColumnIndex<R>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> T: Decode<'r, R::Database> + Type<R::Database>,
{
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
