//! `INSERT` of many rows in one statement.
//!
//! SeaORM would first make a tree of the statement with every value in it, which on the path that every
//! create takes cost as much as SQLite's own work. These texts depend on the number of rows alone.

use std::fmt::Write;

use sea_orm::{DbBackend, Statement, Value};

/// Inserts rows of `N` columns each.
///
/// `into` begins the statement (`INSERT INTO table (columns)`), `rest` follows the values.
pub(crate) fn insert<const N: usize>(
    backend: DbBackend,
    into: &str,
    rows: impl ExactSizeIterator<Item = [Value; N]>,
    rest: &str,
) -> Statement {
    let count = rows.len();
    let mut sql = String::with_capacity(into.len() + rest.len() + count * N * ",$1234".len() + 32);
    sql.push_str(into);
    sql.push_str(" VALUES ");
    for row in 0..count {
        sql.push_str(if row == 0 { "(" } else { "), (" });
        for column in 0..N {
            if column > 0 {
                sql.push(',');
            }
            match backend {
                // SQLite would look up the name of a numbered parameter among all the others.
                DbBackend::Sqlite => sql.push('?'),
                // Writing to a string does not fail.
                _ => drop(write!(sql, "${}", row * N + column + 1)),
            }
        }
    }
    sql.push_str(") ");
    sql.push_str(rest);
    let mut values = Vec::with_capacity(count * N);
    rows.for_each(|row| values.extend(row));
    Statement::from_sql_and_values(backend, sql, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_has_a_place_for_each_value() {
        let rows = || [[1.into(), "a".into()], [2.into(), "b".into()]].into_iter();
        let sql = |backend| insert(backend, "INSERT INTO t (n, x)", rows(), "RETURNING n");
        assert_eq!(sql(DbBackend::Sqlite).sql, "INSERT INTO t (n, x) VALUES (?,?), (?,?) RETURNING n");
        let on_postgres = sql(DbBackend::Postgres);
        assert_eq!(on_postgres.sql, "INSERT INTO t (n, x) VALUES ($1,$2), ($3,$4) RETURNING n");
        let values = on_postgres.values.unwrap().0;
        assert_eq!(values, [1.into(), "a".into(), 2.into(), Value::from("b")]);
    }
}
