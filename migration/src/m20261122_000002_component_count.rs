//! The number of components, maintained by the database itself, so that every row counts, also those inserted
//! or deleted past the service.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(manager, if dialect::is_sqlite(manager) { ON_SQLITE } else { ON_POSTGRES }).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// One row, changed under SQLite's one write lock. `INSERT OR REPLACE` on a connection without
/// `PRAGMA recursive_triggers` does not fire the delete trigger; the audit finds that drift.
const ON_SQLITE: &str = "
CREATE TABLE component_count (id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), n INTEGER NOT NULL) STRICT;
INSERT INTO component_count (id, n) SELECT 1, count(*) FROM component;
CREATE TRIGGER component_count_ins AFTER INSERT ON component BEGIN
    UPDATE component_count SET n = n + 1 WHERE id = 1;
END;
CREATE TRIGGER component_count_del AFTER DELETE ON component BEGIN
    UPDATE component_count SET n = n - 1 WHERE id = 1;
END;
";

/// Deltas that are only ever appended, one a statement: a single row would make every writer wait for the
/// commit of another, and can deadlock. They are summed up in the background. `SECURITY DEFINER` lets a role
/// write components that may not write the count.
const ON_POSTGRES: &str = "
CREATE TABLE component_count_delta (n BIGINT NOT NULL)
    WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
          autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000000);
CREATE FUNCTION component_count_ins() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$ BEGIN
    INSERT INTO component_count_delta SELECT count(*) FROM new_rows HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE FUNCTION component_count_del() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$ BEGIN
    INSERT INTO component_count_delta SELECT -count(*) FROM old_rows HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE FUNCTION component_count_trunc() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$ BEGIN
    DELETE FROM component_count_delta;
    RETURN NULL;
END $$;
CREATE TRIGGER component_count_ins AFTER INSERT ON component
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION component_count_ins();
CREATE TRIGGER component_count_del AFTER DELETE ON component
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION component_count_del();
CREATE TRIGGER component_count_trunc AFTER TRUNCATE ON component
    FOR EACH STATEMENT EXECUTE FUNCTION component_count_trunc();
LOCK TABLE component IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO component_count_delta SELECT count(*) FROM component;
";
