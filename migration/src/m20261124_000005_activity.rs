//! How many components were created and deleted on each day (UTC), kept by the writer as it appends events:
//! from a log of a million events it could not be counted while someone waits.
//!
//! It reads the log once: a million events take about three seconds on SQLite and five on PostgreSQL.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(manager, TABLE).await?;
        if !dialect::is_sqlite(manager) {
            dialect::execute(manager, ON_POSTGRES).await?;
        }
        dialect::execute(manager, FILL).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const TABLE: &str = "
CREATE TABLE component_activity (
    day     {BIGINT} NOT NULL PRIMARY KEY,
    created {BIGINT} NOT NULL,
    deleted {BIGINT} NOT NULL
) {STRICT};
";

/// The row of today is updated by every write, as the head of the log is: room on its page keeps that cheap
/// (HOT).
const ON_POSTGRES: &str = "
ALTER TABLE component_activity SET (fillfactor = 10);
LOCK TABLE event_log IN SHARE ROW EXCLUSIVE MODE;
";

const FILL: &str = "
INSERT INTO component_activity (day, created, deleted)
    SELECT occurred_at / 86400000000,
           sum(CASE type WHEN 'component.created' THEN 1 ELSE 0 END),
           sum(CASE type WHEN 'component.deleted' THEN 1 ELSE 0 END)
    FROM event_log WHERE type IN ('component.created', 'component.deleted') GROUP BY 1;
";
