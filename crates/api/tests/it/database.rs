//! A database of a test's own.

use std::{
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
        let name = format!("inventory_test_{}_{}", id(), NEXT.fetch_add(1, Ordering::Relaxed));
        if psql(&server, &format!("CREATE DATABASE {name}")) {
            return Some(Self::Postgres { server, name });
        }
        assert!(std::env::var_os("CI").is_none(), "PostgreSQL and psql are needed where CI is set");
        eprintln!("SKIPPED: no PostgreSQL at {server}, or no psql");
        None
    }

    /// A SQLite database and, where there is a server, a PostgreSQL database.
    pub(crate) fn each() -> impl Iterator<Item = Self> {
        [Some(Self::sqlite()), Self::postgres()].into_iter().flatten()
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite { directory } => {
                format!("sqlite:{}", directory.path().join("inventory.db").display())
            }
            Self::Postgres { server, name } => format!("{server}/{name}"),
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Self::Postgres { server, name } = self {
            psql(server, &format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}

fn psql(server: &str, sql: &str) -> bool {
    let output = Command::new("psql").args([&format!("{server}/postgres"), "-qc", sql]).output();
    output.is_ok_and(|output| output.status.success())
}
