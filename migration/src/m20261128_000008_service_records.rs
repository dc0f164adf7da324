//! Numbers that the service keeps about the database itself, by name: `last_backup_at` in microseconds since 1970, and
//! `version_floor`, below which no row gets a new version after a restore.
//!
//! Takes no time whatever the size of the database.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(manager, TABLES).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const TABLES: &str = r"
CREATE TABLE service_record (
    name  {TEXT}   NOT NULL PRIMARY KEY,
    value {BIGINT} NOT NULL
) {STRICT};
";
