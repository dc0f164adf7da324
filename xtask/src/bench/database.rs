//! The databases: for each contestant one of a thousand rows and one of a million, and a copy of the first
//! for every load that writes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use super::{
    contestant::{Binaries, Contestant},
    sample::Cell,
    script,
};
use crate::{
    chore, requirement,
    service::{self, Running},
};

/// How many rows the large databases have.
const MANY: u32 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(super) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub(super) const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// The database of a cell.
#[derive(Debug)]
pub(super) struct Database {
    contestant: Contestant,
    engine: Engine,
    many: bool,
    /// Whether the load writes, and so gets a copy.
    copied: bool,
    folder: PathBuf,
}

impl Database {
    pub(super) fn of(cell: Cell, folder: &Path) -> Self {
        Self {
            contestant: cell.contestant,
            engine: cell.engine,
            many: cell.workload.of_many_rows(),
            copied: cell.workload.creates().is_some(),
            folder: folder.to_owned(),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the server of this database logs.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.original()))
    }

    /// The URL of what the load is run on.
    pub(super) fn url(&self) -> String {
        if self.copied { self.url_of(&self.copy()) } else { self.url_of(&self.original()) }
    }

    /// Whether a cell with the other database needs nothing more than this one.
    pub(super) fn shares_original(&self, other: &Self) -> bool {
        (self.contestant, self.engine, self.many) == (other.contestant, other.engine, other.many)
    }

    /// Makes and fills the database.
    pub(super) fn prepare(&self, binaries: &Binaries) -> anyhow::Result<()> {
        if self.contestant == Contestant::Constant {
            return Ok(());
        }
        let name = self.original();
        eprintln!("making {name}");
        self.remove(&name)?;
        if self.engine == Engine::Postgres {
            psql("postgres", &format!("CREATE DATABASE {name}"))?;
        }
        let address = service::free_address()?;
        let mut command = self.contestant.command(binaries, &self.url_of(&name), address);
        let server = Running::start(&mut command, address, &self.log())?;
        if !self.many {
            server.post("/api/v1/components/batch", &script::batch("template"))?;
        }
        server.stop()?;
        if self.many { self.fill(&name) } else { Ok(()) }
    }

    /// Leaves nothing behind.
    pub(super) fn clean_up(&self) -> anyhow::Result<()> {
        if self.contestant == Contestant::Constant {
            return Ok(());
        }
        self.remove(&self.copy())?;
        self.remove(&self.original())
    }

    /// Rows that nobody asked the server for: a million of them take seconds so. Their ids ascend, as those of
    /// version 7 do.
    fn fill(&self, name: &str) -> anyhow::Result<()> {
        match self.engine {
            Engine::Sqlite => {
                let sql = format!(
                    "PRAGMA synchronous = OFF;
                     PRAGMA cache_size = -500000;
                     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY})
                     INSERT INTO component (id, name)
                     SELECT CAST(printf('%016d', i) AS BLOB), 'part ' || i FROM n"
                );
                chore::output(Command::new("sqlite3").arg(self.file(name)).arg(sql)).map(drop)
            }
            Engine::Postgres => {
                let sql = format!(
                    "INSERT INTO component (id, name)
                     SELECT lpad(to_hex(i), 32, '0')::uuid, 'part ' || i FROM generate_series(1, {MANY}) i"
                );
                psql(name, &sql)?;
                psql(name, "VACUUM ANALYZE")
            }
        }
    }

    /// Makes a new copy where the load writes.
    pub(super) fn reset(&self) -> anyhow::Result<()> {
        if self.contestant == Contestant::Constant || !self.copied {
            return Ok(());
        }
        let (original, copy) = (self.original(), self.copy());
        self.remove(&copy)?;
        match self.engine {
            Engine::Sqlite => {
                for suffix in ["", "-wal"] {
                    let from = self.file(&format!("{original}{suffix}"));
                    if from.is_file() {
                        fs::copy(&from, self.file(&format!("{copy}{suffix}")))
                            .with_context(|| format!("cannot copy {}", from.display()))?;
                    }
                }
                Ok(())
            }
            Engine::Postgres => psql("postgres", &format!("CREATE DATABASE {copy} TEMPLATE {original}")),
        }
    }

    fn remove(&self, name: &str) -> anyhow::Result<()> {
        match self.engine {
            Engine::Sqlite => {
                for suffix in ["", "-wal", "-shm"] {
                    let file = self.file(&format!("{name}{suffix}"));
                    if file.is_file() {
                        fs::remove_file(file)?;
                    }
                }
                Ok(())
            }
            Engine::Postgres => psql("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")),
        }
    }

    fn original(&self) -> String {
        format!("inventory_bench_{}_{}", self.contestant.id(), if self.many { "1m" } else { "1k" })
    }

    fn copy(&self) -> String {
        format!("{}_run", self.original())
    }

    /// A database of SQLite; a suffix of its name is a suffix of its file.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn url_of(&self, name: &str) -> String {
        match self.engine {
            Engine::Sqlite => format!("sqlite:{}", self.file(name).display()),
            Engine::Postgres => {
                let plain = if self.contestant == Contestant::ServiceByUrl { "" } else { "?sslmode=disable" };
                format!("{}/{name}{plain}", requirement::postgres_url())
            }
        }
    }
}

/// Runs a statement on a database of the server.
pub(super) fn psql(database: &str, sql: &str) -> anyhow::Result<()> {
    let url = format!("{}/{database}", requirement::postgres_url());
    let mut command = Command::new("psql");
    command.args([&url, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--command", sql]);
    chore::output(command.env("PGOPTIONS", "--client-min-messages=warning")).map(drop)
}
