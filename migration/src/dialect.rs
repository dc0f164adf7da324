//! The words in which SQLite and PostgreSQL differ.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// A word and what it is on SQLite and on PostgreSQL.
const WORDS: [(&str, &str, &str); 13] = [
    // A STRICT table of SQLite knows five types, and has one for 64-bit integers.
    ("{BIGINT}", "INTEGER", "BIGINT"),
    ("{SMALLINT}", "INTEGER", "SMALLINT"),
    ("{BYTES}", "BLOB", "BYTEA"),
    ("{BOOL}", "INTEGER", "BOOLEAN"),
    ("{FALSE}", "0", "FALSE"),
    ("{UUID}", "BLOB", "UUID"),
    // Byte order on both, so that sorting and paging agree whatever the locale of the server.
    ("{TEXT}", "TEXT", "TEXT COLLATE \"C\""),
    ("{NEW_UUID}", "(randomblob(16))", "gen_random_uuid()"),
    // Written so that an old sqlite3 shell, too, can insert a row: unixepoch('subsec') came with 3.42.
    (
        "{NOW_MICROS}",
        "(CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER))",
        "(CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT))",
    ),
    ("{STRICT}", "STRICT", ""),
    ("{GREATEST}", "max", "greatest"),
    // SQLite folds the case of ASCII letters only; PostgreSQL does so in this collation.
    ("{BYTE_ORDER}", "", "COLLATE \"C\""),
    // A generated column: PostgreSQL 15 only knows those that it keeps, SQLite can only add those that it does not.
    ("{KEPT}", "VIRTUAL", "STORED"),
];

/// Runs statements in the words of the connected database.
pub(crate) async fn execute(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    let sqlite = is_sqlite(manager);
    let sql = WORDS.iter().fold(sql.to_owned(), |sql, (word, on_sqlite, on_postgres)| {
        sql.replace(word, if sqlite { on_sqlite } else { on_postgres })
    });
    manager.get_connection().execute_unprepared(&sql).await?;
    Ok(())
}

/// Whether the connected database is SQLite.
pub(crate) fn is_sqlite(manager: &SchemaManager<'_>) -> bool {
    manager.get_database_backend() == DbBackend::Sqlite
}
