//! Text in which components are searched, and an index of every three letters that follow each other in it.
//!
//! The text is a generated column, so that it is right for every write, also past the service. Only ASCII
//! letters are folded, the same on both databases. Updating a trigram index costs as much as the rest of a
//! write. So new rows are first kept out of the index and searched one by one, and are indexed in the
//! background.
//!
//! A million rows take about 40 seconds on SQLite and a minute and a half on PostgreSQL, which rewrites the
//! table.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if dialect::is_sqlite(manager) {
            dialect::execute(manager, TEXT).await?;
            return dialect::execute(manager, ON_SQLITE).await;
        }
        dialect::execute(manager, "CREATE EXTENSION IF NOT EXISTS pg_trgm").await.map_err(|error| {
            DbErr::Migration(format!(
                "the search needs the extension pg_trgm, which comes with PostgreSQL; its owner or a superuser \
                 can run `CREATE EXTENSION pg_trgm` in this database: {error}"
            ))
        })?;
        dialect::execute(manager, TEXT).await?;
        dialect::execute(manager, ON_POSTGRES).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// Tags are a JSON array of texts that hold no quotes.
const TEXT: &str = r#"
ALTER TABLE component ADD COLUMN search_text {TEXT} GENERATED ALWAYS AS (lower((
    coalesce(sku, '') || '
' || name || '
' || description || '
' || coalesce(mpn, '') || '
' || coalesce(manufacturer, '') || '
' || replace(substr(tags, 3, {GREATEST}(length(tags) - 4, 0)), '","', '
')
) {BYTE_ORDER})) {KEPT};
"#;

/// The index holds the text as it was when the row was indexed; what it holds for a row in
/// `component_unindexed` is out of date. New rows need no list: they have higher rowids than any row before, so
/// `component_indexed` says up to which rowid the index goes. SQLite keeps the rowids of a table with indexes
/// also in a `VACUUM`.
const ON_SQLITE: &str = "
CREATE VIRTUAL TABLE component_search USING fts5(text, tokenize = 'trigram case_sensitive 1', columnsize = 0);
INSERT INTO component_search (rowid, text) SELECT rowid, search_text FROM component;
CREATE TABLE component_indexed (id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), component INTEGER NOT NULL) STRICT;
INSERT INTO component_indexed (id, component) SELECT 1, coalesce(max(rowid), 0) FROM component;
CREATE TABLE component_unindexed (component INTEGER NOT NULL PRIMARY KEY) STRICT;
CREATE TRIGGER component_unindexed_upd
AFTER UPDATE OF sku, name, description, mpn, manufacturer, tags ON component BEGIN
    INSERT INTO component_unindexed (component) VALUES (new.rowid) ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER component_unindexed_del AFTER DELETE ON component BEGIN
    INSERT INTO component_unindexed (component) VALUES (old.rowid) ON CONFLICT DO NOTHING;
END;
";

/// Here `component_unindexed` lists new rows too. A transaction that changes a row locks its entry in
/// `component_unindexed` until the commit, so that the index is never built from a text that is about to
/// change.
const ON_POSTGRES: &str = "
CREATE TABLE component_search (component UUID NOT NULL PRIMARY KEY, text {TEXT} NOT NULL);
CREATE TABLE component_unindexed (component UUID NOT NULL PRIMARY KEY)
    WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE FUNCTION component_unindexed_ins() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$ BEGIN
    INSERT INTO component_unindexed SELECT id FROM new_rows ORDER BY id
        ON CONFLICT (component) DO UPDATE SET component = excluded.component;
    RETURN NULL;
END $$;
CREATE FUNCTION component_unindexed_upd() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$ BEGIN
    INSERT INTO component_unindexed
        SELECT id FROM (SELECT id, search_text FROM old_rows UNION SELECT id, search_text FROM new_rows) AS texts
        GROUP BY id HAVING count(*) > 1 ORDER BY id
        ON CONFLICT (component) DO UPDATE SET component = excluded.component;
    RETURN NULL;
END $$;
CREATE FUNCTION component_unindexed_del() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$ BEGIN
    INSERT INTO component_unindexed SELECT id FROM old_rows ORDER BY id
        ON CONFLICT (component) DO UPDATE SET component = excluded.component;
    RETURN NULL;
END $$;
CREATE FUNCTION component_unindexed_trunc() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$ BEGIN
    DELETE FROM component_search;
    DELETE FROM component_unindexed;
    RETURN NULL;
END $$;
CREATE TRIGGER component_unindexed_ins AFTER INSERT ON component
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION component_unindexed_ins();
CREATE TRIGGER component_unindexed_upd AFTER UPDATE ON component
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION component_unindexed_upd();
CREATE TRIGGER component_unindexed_del AFTER DELETE ON component
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION component_unindexed_del();
CREATE TRIGGER component_unindexed_trunc AFTER TRUNCATE ON component
    FOR EACH STATEMENT EXECUTE FUNCTION component_unindexed_trunc();
INSERT INTO component_search (component, text) SELECT id, search_text FROM component;
CREATE INDEX component_search_by_text ON component_search USING gin (text gin_trgm_ops);
ANALYZE component_search;
";
