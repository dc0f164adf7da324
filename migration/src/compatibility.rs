//! Whether this release can work with a schema. Each migration declares the oldest release that can, and the declaration
//! is kept in the database, where an older release finds it that does not know the migration.

use std::collections::BTreeMap;

use sea_orm_migration::prelude::*;
use semver::Version;

use crate::{Migrator, history};

/// This release.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// A schema, as this release sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schema {
    /// It is the schema of this release.
    Current,
    /// This number of migrations of this release is not applied.
    Outdated(usize),
    /// A later release applied this number of migrations, and this release can work with them.
    Later(usize),
    /// A later release applied migrations, and this one cannot work with them: the oldest release that can.
    TooNew(String),
    /// This migration is not known, and it is not declared who can work with it.
    Undeclared(String),
}

/// Looks at the schema of a database, which may be empty. Changes nothing.
pub async fn inspect<'c>(database: impl IntoSchemaManagerConnection<'c>) -> Result<Schema, DbErr> {
    let manager = SchemaManager::new(database);
    let known: Vec<_> = history().iter().map(|(migration, _)| migration.name().to_owned()).collect();
    let applied = column(&manager, "seaql_migrations", ["version", "version"]).await?;
    let declared = column(&manager, "migration_compatibility", ["migration", "oldest_release"]).await?;
    let missing: Vec<_> = known.iter().filter(|name| !applied.contains_key(*name)).collect();
    let unknown: Vec<_> = applied.into_keys().filter(|name| !known.contains(name)).collect();
    let mut needed = Version::parse(RELEASE).map_err(|error| DbErr::Custom(error.to_string()))?;
    let own = needed.clone();
    for name in &unknown {
        let oldest = declared.get(name).and_then(|oldest| Version::parse(oldest).ok());
        let Some(oldest) = oldest else { return Ok(Schema::Undeclared(name.clone())) };
        needed = needed.max(oldest);
    }
    match (&missing[..], unknown.len()) {
        _ if needed > own => Ok(Schema::TooNew(needed.to_string())),
        ([], 0) => Ok(Schema::Current),
        (missing, 0) => Ok(Schema::Outdated(missing.len())),
        ([], later) => Ok(Schema::Later(later)),
        ([name, ..], _) => Err(DbErr::Custom(format!(
            "a later release migrated the database, which lacks the migration {name}"
        ))),
    }
}

/// Applies the migrations that are not applied yet, and declares who can work with them.
pub async fn migrate<'c>(database: impl IntoSchemaManagerConnection<'c> + Copy) -> Result<(), DbErr> {
    Migrator::up(database, None).await?;
    let manager = SchemaManager::new(database);
    for (migration, oldest_release) in history() {
        let sql = format!(
            "INSERT INTO migration_compatibility (migration, oldest_release) VALUES ('{}', '{oldest_release}') \
             ON CONFLICT DO NOTHING",
            migration.name()
        );
        manager.get_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}

/// A column of a table by another one; nothing where there is no such table.
async fn column(
    manager: &SchemaManager<'_>,
    table: &'static str,
    [key, value]: [&'static str; 2],
) -> Result<BTreeMap<String, String>, DbErr> {
    if !manager.has_table(table).await? {
        return Ok(BTreeMap::new());
    }
    let query =
        Query::select().expr_as(Expr::col(key), "key").expr_as(Expr::col(value), "value").from(table).take();
    let rows = manager.get_connection().query_all(&query).await?;
    rows.iter().map(|row| Ok((row.try_get("", "key")?, row.try_get("", "value")?))).collect()
}
