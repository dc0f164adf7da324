//! Files that were uploaded and not imported yet, with what each of their rows would do. They are in the
//! database because the user's next request may be answered by another process.
//!
//! The tables begin empty, so this takes no time.

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

/// The file is in a separate table, so that queries for the other columns do not read it.
const TABLES: &str = r"
CREATE TABLE staged_import (
    id         {UUID}   NOT NULL PRIMARY KEY,
    user_id    {UUID}   NOT NULL REFERENCES user_account (id) ON DELETE CASCADE,
    name       {TEXT}   NOT NULL,
    bytes      {BIGINT} NOT NULL,
    settings   {TEXT}   NOT NULL,
    plan       {BIGINT} NOT NULL DEFAULT 0,
    planned_at {BIGINT},
    creates    {BIGINT} NOT NULL DEFAULT 0,
    changes    {BIGINT} NOT NULL DEFAULT 0,
    unchanged  {BIGINT} NOT NULL DEFAULT 0,
    faulty     {BIGINT} NOT NULL DEFAULT 0,
    started_at {BIGINT},
    started_by {UUID},
    outcome    {TEXT},
    created_at {BIGINT} NOT NULL
) {STRICT};

CREATE INDEX staged_import_by_user ON staged_import (user_id, created_at);
CREATE INDEX staged_import_by_created_at ON staged_import (created_at);

CREATE TABLE staged_file (
    import_id {UUID}  NOT NULL PRIMARY KEY REFERENCES staged_import (id) ON DELETE CASCADE,
    content   {BYTES} NOT NULL
) {STRICT};

CREATE TABLE staged_row (
    import_id {UUID}     NOT NULL REFERENCES staged_import (id) ON DELETE CASCADE,
    line      {BIGINT}   NOT NULL,
    kind      {SMALLINT} NOT NULL,
    body      {TEXT}     NOT NULL,
    PRIMARY KEY (import_id, line)
) {STRICT};

CREATE INDEX staged_row_by_kind ON staged_row (import_id, kind, line);
";
