//! A database of many components that differ as those of a stock room do.

use std::{fmt::Write as _, path::Path, process::Command};

use super::{COMPONENTS, visitor::PASSWORD};
use crate::{
    bench::{
        contestant::Binaries,
        database::{self, Engine},
    },
    chore, requirement,
    service::{self, Running},
};

const DATABASE: &str = "inventory_bench_admin";
const COLUMNS: &str = "id, sku, name, description, manufacturer, mpn, barcode, unit, unit_cost, currency, \
                       datasheet_url, tags, status, created_at, created_by, updated_at, updated_by";
/// What they hold, from a number `i`. It reads the same on both databases, but for the first of them. The products of numbers fit into 32 bits, which PostgreSQL calculates in.
const VALUES: &str = r#"
    'P-' || (100000 + i),
    {WORD:Gate    InverterBuffer  Latch   Counter Decoder Adder   Switch  Timer   Opamp   :i * 7 % 10} || ' ' || (i * 7919 % 100003),
    {WORD:quad    dual    octal   single  hex     triple  :i * 3 % 6} || ' ' ||
        {WORD:2-input 3-state trimmed rail    positivenegativelow     high    :i / 5 % 8} || ' part in SOIC-' ||
        (8 + i % 5 * 2) || ', ' || (i * 31 % 977) || ' mW, as ordered for bay ' || (i % 211),
    CASE WHEN i % 11 > 0 THEN 'Maker ' || (i * (i % 997) % 61) END,
    'M' || (i * 7919 % 999983),
    CASE WHEN i % 3 = 0 THEN CAST(4000000000000 + i * 7 AS TEXT) END,
    CASE i % 20 WHEN 0 THEN 'reel' WHEN 1 THEN 'm' WHEN 2 THEN 'kg' ELSE 'pcs' END,
    CASE WHEN i % 13 > 0 THEN (i * 7919 % 5000 + 1) * 10000 END,
    CASE i % 4 WHEN 0 THEN 'USD' WHEN 1 THEN NULL ELSE 'EUR' END,
    CASE WHEN i % 2 = 0 THEN 'https://example.com/' || i || '.pdf' END,
    CASE i % 5 WHEN 0 THEN '[]' WHEN 1 THEN '["smd"]' WHEN 2 THEN '["logic","smd"]'
        ELSE '["bay-' || (i * 17 % 211) || '","' || {WORD:cmos    logic   analog  power   :i * 3 % 4} || '"]' END,
    CASE WHEN i % 9 = 0 THEN 'archived' ELSE 'active' END,
    1514764800000000 + CAST(i AS BIGINT) * 1200000000,
    'user:anna',
    1514764800000000 + CAST(i AS BIGINT) * 1200000000 + CAST(i % 1000 AS BIGINT) * 3600000000,
    'user:' || {WORD:anna    bob     carol   :i % 3}
"#;

/// The sku of a component.
pub(super) fn sku(number: u32) -> String {
    format!("P-{}", 100_000 + number)
}

/// Makes and fills the database, and returns its URL.
pub(super) fn database(engine: Engine, binaries: &Binaries, folder: &Path) -> anyhow::Result<String> {
    clean_up(engine, folder)?;
    eprintln!("making {DATABASE} on {}", engine.name());
    let url = match engine {
        Engine::Sqlite => format!("sqlite:{}", folder.join(DATABASE).display()),
        Engine::Postgres => {
            database::psql("postgres", &format!("CREATE DATABASE {DATABASE}"))?;
            format!("{}/{DATABASE}?sslmode=disable", requirement::postgres_url())
        }
    };
    let address = service::free_address()?;
    let mut command = service::inventory(&binaries.service, &url, address);
    command.env("INVENTORY_ADMIN_PASSWORD", PASSWORD);
    Running::start(&mut command, address, &folder.join("admin.log"))?.stop()?;
    let values = values(engine);
    match engine {
        Engine::Sqlite => {
            let sql = format!(
                "PRAGMA synchronous = OFF;
                 PRAGMA cache_size = -500000;
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {COMPONENTS})
                 INSERT INTO component ({COLUMNS}) SELECT CAST(printf('%016d', i) AS BLOB), {values} FROM n;
                 INSERT INTO component_search (rowid, text) SELECT rowid, search_text FROM component;
                 UPDATE component_indexed SET component = (SELECT max(rowid) FROM component);
                 ANALYZE"
            );
            chore::output(Command::new("sqlite3").arg(folder.join(DATABASE)).arg(sql))?;
        }
        Engine::Postgres => {
            let sql = format!(
                "INSERT INTO component ({COLUMNS})
                 SELECT lpad(to_hex(i), 32, '0')::uuid, {values} FROM generate_series(1, {COMPONENTS}) AS n(i);
                 INSERT INTO component_search (component, text) SELECT id, search_text FROM component;
                 DELETE FROM component_unindexed"
            );
            database::psql(DATABASE, &sql)?;
            database::psql(DATABASE, "VACUUM ANALYZE")?;
        }
    }
    Ok(url)
}

/// The values in the words of a database: `{WORD:words of eight characters:place}` is one of the words.
fn values(engine: Engine) -> String {
    let integer = if engine == Engine::Sqlite { "" } else { "::integer" };
    let mut parts = VALUES.split("{WORD:");
    let mut values = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (word, rest) = part.split_once('}').unwrap_or((part, ""));
        let (words, place) = word.split_once(':').unwrap_or((word, "0"));
        // Cannot fail: it is a text.
        let _ = write!(values, "trim(substr('{words}', (1 + 8 * ({place})){integer}, 8)){rest}");
    }
    values
}

/// Leaves nothing behind.
pub(super) fn clean_up(engine: Engine, folder: &Path) -> anyhow::Result<()> {
    match engine {
        Engine::Sqlite => {
            for suffix in ["", "-wal", "-shm"] {
                let file = folder.join(format!("{DATABASE}{suffix}"));
                if file.is_file() {
                    std::fs::remove_file(file)?;
                }
            }
            Ok(())
        }
        Engine::Postgres => {
            database::psql("postgres", &format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"))
        }
    }
}
