//! On SQLite, the end of the search index follows that of the table with each delete.
//!
//! A new row gets the rowid after the last one. Where a row had been deleted and its entry removed from the index, and
//! then all rows after it were deleted too, a new row got its rowid. It was below the end of the index and not listed
//! in `component_unindexed`, so no search found it. Rows to which that happened are listed here.
//!
//! Looks at every component once: a million rows take some seconds.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if dialect::is_sqlite(manager) { dialect::execute(manager, ON_SQLITE).await } else { Ok(()) }
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const ON_SQLITE: &str = "
DROP TRIGGER component_unindexed_del;
CREATE TRIGGER component_unindexed_del AFTER DELETE ON component BEGIN
    INSERT INTO component_unindexed (component) VALUES (old.rowid) ON CONFLICT DO NOTHING;
    UPDATE component_indexed SET component = (SELECT coalesce(max(rowid), 0) FROM component)
     WHERE component > (SELECT coalesce(max(rowid), 0) FROM component);
END;
UPDATE component_indexed SET component = (SELECT coalesce(max(rowid), 0) FROM component)
 WHERE component > (SELECT coalesce(max(rowid), 0) FROM component);
INSERT INTO component_unindexed (component)
SELECT rowid FROM component
 WHERE rowid <= (SELECT component FROM component_indexed)
   AND NOT EXISTS (SELECT 1 FROM component_search_content
                     WHERE id = component.rowid AND c0 = component.search_text)
    ON CONFLICT DO NOTHING;
";
