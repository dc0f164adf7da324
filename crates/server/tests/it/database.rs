//! A database of a test's own, and a shell to it that bypasses the service.

use std::{
    path::PathBuf,
    process::{Command, id},
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;

/// An empty database, gone when this is dropped.
pub(crate) enum TestDatabase {
    Sqlite { directory: TempDir },
    Postgres { server: String, name: String },
}

impl TestDatabase {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite { directory: TempDir::new().unwrap() }
    }

    /// `None`, and a line that says so, where there is no PostgreSQL.
    pub(crate) fn postgres() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var("INVENTORY_TEST_POSTGRES_URL")
            .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432".to_owned());
        let name = format!("inventory_it_{}_{}", id(), NEXT.fetch_add(1, Ordering::Relaxed));
        match psql(&format!("{server}/postgres"), &format!("CREATE DATABASE {name}")) {
            Ok(_) => Some(Self::Postgres { server, name }),
            Err(error) => {
                assert!(
                    std::env::var_os("CI").is_none(),
                    "PostgreSQL and psql are needed where CI is set: {error}"
                );
                eprintln!("SKIPPED: no PostgreSQL at {server}, or no psql");
                None
            }
        }
    }

    /// A SQLite database and, where there is a server, a PostgreSQL database.
    pub(crate) fn each() -> impl Iterator<Item = Self> {
        [Some(Self::sqlite()), Self::postgres()].into_iter().flatten()
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite { .. } => format!("sqlite:{}", self.file().display()),
            Self::Postgres { server, name } => format!("{server}/{name}"),
        }
    }

    /// The file of a SQLite database.
    pub(crate) fn file(&self) -> PathBuf {
        match self {
            Self::Sqlite { directory } => directory.path().join("inventory.db"),
            Self::Postgres { .. } => panic!("PostgreSQL has no file"),
        }
    }

    /// Runs SQL as a person with a database shell does, and returns what it prints.
    pub(crate) fn shell(&self, sql: &str) -> String {
        match self {
            Self::Sqlite { .. } => {
                let output = Command::new("sqlite3")
                    .args(["-bail", "-cmd", ".timeout 60000"])
                    .arg(self.file())
                    .arg(sql)
                    .output()
                    .expect("sqlite3 is there");
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
            }
            Self::Postgres { .. } => psql(&self.url(), sql).unwrap(),
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Self::Postgres { server, name } = self {
            // A server that a failing test left running must not keep it.
            let dropped = psql(&format!("{server}/postgres"), &format!("DROP DATABASE {name} WITH (FORCE)"));
            if let Err(error) = dropped {
                eprintln!("the database {name} stays: {error}");
            }
        }
    }
}

fn psql(url: &str, sql: &str) -> Result<String, String> {
    let output = Command::new("psql")
        .args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            sql,
            url,
        ])
        .output()
        .map_err(|error| format!("psql: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
