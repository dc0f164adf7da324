//! Components, the event log with its head, API tokens and idempotency keys.
//!
//! Everything but the name of a component has a default, so that a person at a database shell can insert
//! one. Times are microseconds since 1970, amounts are millionths.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::execute(manager, TABLES).await?;
        if !dialect::is_sqlite(manager) {
            // The head is updated by every write: room on its page keeps those updates cheap (HOT).
            dialect::execute(manager, "ALTER TABLE event_head SET (fillfactor = 10)").await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const TABLES: &str = r"
CREATE TABLE component (
    id            {UUID}   NOT NULL PRIMARY KEY DEFAULT {NEW_UUID},
    sku           {TEXT}   CONSTRAINT component_sku_key UNIQUE CHECK (length(sku) BETWEEN 1 AND 100),
    name          {TEXT}   NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    description   {TEXT}   NOT NULL DEFAULT '' CHECK (length(description) <= 2000),
    notes         {TEXT}   NOT NULL DEFAULT '' CHECK (length(notes) <= 10000),
    manufacturer  {TEXT}   CHECK (length(manufacturer) BETWEEN 1 AND 200),
    mpn           {TEXT}   CHECK (length(mpn) BETWEEN 1 AND 100),
    barcode       {TEXT}   CHECK (length(barcode) BETWEEN 1 AND 128),
    unit          {TEXT}   NOT NULL DEFAULT 'pcs' CHECK (length(unit) BETWEEN 1 AND 32),
    min_quantity  {BIGINT} NOT NULL DEFAULT 0 CHECK (min_quantity BETWEEN 0 AND 999999999999999999),
    unit_cost     {BIGINT} CHECK (unit_cost BETWEEN 0 AND 999999999999999999),
    currency      {TEXT}   CHECK (length(currency) = 3),
    datasheet_url {TEXT}   CHECK (length(datasheet_url) <= 2000),
    tags          {TEXT}   NOT NULL DEFAULT '[]',
    custom_fields {TEXT}   NOT NULL DEFAULT '{}',
    status        {TEXT}   NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'archived')),
    created_at    {BIGINT} NOT NULL DEFAULT {NOW_MICROS},
    created_by    {TEXT}   NOT NULL DEFAULT 'sql',
    updated_at    {BIGINT} NOT NULL DEFAULT {NOW_MICROS},
    updated_by    {TEXT}   NOT NULL DEFAULT 'sql',
    version       {BIGINT} NOT NULL DEFAULT 1 CHECK (version >= 1)
) {STRICT};

-- One index for each order in which components can be listed. Absent values count as the least.
CREATE INDEX component_by_sku          ON component (coalesce(sku, ''), id);
CREATE INDEX component_by_name         ON component (name, id);
CREATE INDEX component_by_manufacturer ON component (coalesce(manufacturer, ''), id);
CREATE INDEX component_by_mpn          ON component (coalesce(mpn, ''), id);
CREATE INDEX component_by_min_quantity ON component (min_quantity, id);
CREATE INDEX component_by_unit_cost    ON component (coalesce(unit_cost, -1), id);
CREATE INDEX component_by_created_at   ON component (created_at, id);
CREATE INDEX component_by_updated_at   ON component (updated_at, id);

-- One row: the last place in the log that was given out, under whose lock places are given out.
CREATE TABLE event_head (
    id    {SMALLINT} NOT NULL PRIMARY KEY CHECK (id = 1),
    epoch {TEXT}     NOT NULL,
    seq   {BIGINT}   NOT NULL CHECK (seq >= 0)
) {STRICT};

CREATE TABLE event_log (
    seq         {BIGINT}   NOT NULL PRIMARY KEY CHECK (seq >= 1),
    id          {UUID}     NOT NULL UNIQUE,
    type        {TEXT}     NOT NULL,
    version     {SMALLINT} NOT NULL,
    subject     {TEXT}     NOT NULL,
    origin      {UUID}     NOT NULL,
    actor       {TEXT}     NOT NULL,
    trace       {TEXT},
    data        {TEXT}     NOT NULL,
    occurred_at {BIGINT}   NOT NULL
) {STRICT};

CREATE INDEX event_log_by_subject ON event_log (subject, seq);

CREATE TABLE token (
    id         {UUID}   NOT NULL PRIMARY KEY,
    name       {TEXT}   NOT NULL,
    hash       {BYTES}  NOT NULL,
    created_at {BIGINT} NOT NULL,
    revoked_at {BIGINT}
) {STRICT};

CREATE UNIQUE INDEX token_name_key ON token (name) WHERE revoked_at IS NULL;
CREATE UNIQUE INDEX token_hash_key ON token (hash) WHERE revoked_at IS NULL;

CREATE TABLE idempotency_key (
    scope       {TEXT}   NOT NULL,
    key         {TEXT}   NOT NULL,
    fingerprint {BYTES}  NOT NULL,
    outcome     {TEXT},
    created_at  {BIGINT} NOT NULL,
    PRIMARY KEY (scope, key)
) {STRICT};

CREATE INDEX idempotency_key_by_created_at ON idempotency_key (created_at);
";
