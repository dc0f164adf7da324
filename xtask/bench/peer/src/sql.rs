//! The statements, which read the same on SQLite and PostgreSQL.

macro_rules! columns {
    () => {
        "id, sku, name, description, notes, manufacturer, mpn, barcode, unit, min_quantity, unit_cost, \
         currency, datasheet_url, tags, custom_fields, status, created_at, created_by, updated_at, \
         updated_by, version"
    };
}

/// One component by its id.
pub const SELECT_ONE: &str = concat!("SELECT ", columns!(), " FROM component WHERE id = $1");
/// The first page by id.
pub const SELECT_FIRST: &str = concat!("SELECT ", columns!(), " FROM component ORDER BY id LIMIT $1");
/// The page after an id.
pub const SELECT_NEXT: &str =
    concat!("SELECT ", columns!(), " FROM component WHERE id > $1 ORDER BY id LIMIT $2");
/// The beginning of an insert.
pub const INSERT: &str = concat!("INSERT INTO component (", columns!(), ") ");

/// The table on SQLite, with the columns of the service's.
pub const SCHEMA_SQLITE: &str = "
CREATE TABLE IF NOT EXISTS component (
    id BLOB NOT NULL PRIMARY KEY DEFAULT (randomblob(16)),
    sku TEXT UNIQUE,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    notes TEXT NOT NULL DEFAULT '',
    manufacturer TEXT,
    mpn TEXT,
    barcode TEXT,
    unit TEXT NOT NULL DEFAULT 'pcs',
    min_quantity INTEGER NOT NULL DEFAULT 0,
    unit_cost INTEGER,
    currency TEXT,
    datasheet_url TEXT,
    tags TEXT NOT NULL DEFAULT '[]',
    custom_fields TEXT NOT NULL DEFAULT '{}',
    status TEXT NOT NULL DEFAULT 'active',
    created_at INTEGER NOT NULL DEFAULT 0,
    created_by TEXT NOT NULL DEFAULT 'sql',
    updated_at INTEGER NOT NULL DEFAULT 0,
    updated_by TEXT NOT NULL DEFAULT 'sql',
    version INTEGER NOT NULL DEFAULT 1
) STRICT";

/// The table on PostgreSQL, with the columns of the service's.
pub const SCHEMA_POSTGRES: &str = "
CREATE TABLE IF NOT EXISTS component (
    id UUID NOT NULL PRIMARY KEY DEFAULT gen_random_uuid(),
    sku TEXT UNIQUE,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    notes TEXT NOT NULL DEFAULT '',
    manufacturer TEXT,
    mpn TEXT,
    barcode TEXT,
    unit TEXT NOT NULL DEFAULT 'pcs',
    min_quantity BIGINT NOT NULL DEFAULT 0,
    unit_cost BIGINT,
    currency TEXT,
    datasheet_url TEXT,
    tags TEXT NOT NULL DEFAULT '[]',
    custom_fields TEXT NOT NULL DEFAULT '{}',
    status TEXT NOT NULL DEFAULT 'active',
    created_at BIGINT NOT NULL DEFAULT 0,
    created_by TEXT NOT NULL DEFAULT 'sql',
    updated_at BIGINT NOT NULL DEFAULT 0,
    updated_by TEXT NOT NULL DEFAULT 'sql',
    version BIGINT NOT NULL DEFAULT 1
)";
