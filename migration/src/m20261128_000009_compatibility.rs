//! Which release is the oldest that can work with the schema after a migration. An older release reads here whether it
//! can work with what a later one has migrated.
//!
//! Takes no time.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(manager, TABLE).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const TABLE: &str = "
CREATE TABLE migration_compatibility (
    migration      {TEXT} NOT NULL PRIMARY KEY,
    oldest_release {TEXT} NOT NULL
) {STRICT};
";
