//! Numbers that the service keeps about the database itself, by name.

use sea_orm::{ConnectionTrait, DbErr};

use crate::db::database::Database;

/// When a backup was last made, in microseconds since 1970.
pub(crate) const LAST_BACKUP_AT: &str = "last_backup_at";
/// The least version that a row may get by a change.
pub(crate) const VERSION_FLOOR: &str = "version_floor";

/// The number of this name, if there is one.
pub(crate) async fn find(
    connection: &impl ConnectionTrait,
    database: &Database,
    name: &str,
) -> Result<Option<i64>, DbErr> {
    let sql = "SELECT value FROM service_record WHERE name = $1";
    let row = connection.query_one_raw(database.statement(sql, [name.into()])).await?;
    row.map(|row| row.try_get_by_index(0)).transpose()
}

/// Sets the number of this name.
pub(crate) async fn set(
    connection: &impl ConnectionTrait,
    database: &Database,
    name: &str,
    value: i64,
) -> Result<(), DbErr> {
    let sql = "INSERT INTO service_record (name, value) VALUES ($1, $2)
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection.execute_raw(database.statement(sql, [name.into(), value.into()])).await.map(drop)
}
