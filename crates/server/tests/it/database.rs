//! A database of a test's own, and a shell to it that bypasses the service.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio, id},
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;

/// An empty database, gone when this is dropped.
pub(crate) enum TestDatabase {
    Sqlite { file: PathBuf, _directory: Option<TempDir> },
    Postgres { server: String, name: String },
}

impl TestDatabase {
    pub(crate) fn sqlite() -> Self {
        let directory = TempDir::new().unwrap();
        Self::Sqlite { file: directory.path().join("inventory.db"), _directory: Some(directory) }
    }

    /// A SQLite database in a folder of the test's own.
    pub(crate) fn sqlite_in(folder: &Path) -> Self {
        Self::Sqlite { file: folder.join("inventory.db"), _directory: None }
    }

    /// `None`, and a line that says so, where there is no PostgreSQL.
    pub(crate) fn postgres() -> Option<Self> {
        let server = std::env::var("INVENTORY_TEST_POSTGRES_URL")
            .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432".to_owned());
        match Self::postgres_at(&server) {
            Ok(database) => Some(database),
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

    /// A database of the PostgreSQL server at a URL without a path.
    pub(crate) fn postgres_at(server: &str) -> Result<Self, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("inventory_it_{}_{}", id(), NEXT.fetch_add(1, Ordering::Relaxed));
        psql(&format!("{server}/postgres"), &format!("CREATE DATABASE {name}"))?;
        Ok(Self::Postgres { server: server.to_owned(), name })
    }

    /// A PostgreSQL database whose tables are in this folder, which the server must be able to use. `None`, and a line
    /// that says so, where the server does not run on this machine.
    pub(crate) fn postgres_in(folder: &Path) -> Option<Self> {
        let Some(database @ Self::Postgres { .. }) = Self::postgres() else { return None };
        let Self::Postgres { server, name } = &database else { return None };
        let admin = format!("{server}/postgres");
        let tables = folder.join("tables");
        std::fs::create_dir(&tables).unwrap();
        let owned = Command::new("chown").arg("postgres").arg(&tables).status();
        let made = psql(&admin, &format!("CREATE TABLESPACE {name} LOCATION '{}'", tables.display()));
        if let Err(error) = &made {
            assert!(
                std::env::var_os("CI").is_none(),
                "a tablespace is needed where CI is set: {owned:?} {error}"
            );
            eprintln!("SKIPPED: PostgreSQL cannot use a folder of this test");
            return None;
        }
        psql(&admin, &format!("ALTER DATABASE {name} SET TABLESPACE {name}")).unwrap();
        Some(database)
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
            Self::Sqlite { file, .. } => file.clone(),
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

/// Another process that keeps everybody from writing.
pub(crate) struct WriteLock(Child);

impl WriteLock {
    /// Returns when the process has its locks.
    pub(crate) fn take(database: &TestDatabase) -> Self {
        let (mut shell, lock) = match database {
            TestDatabase::Sqlite { file, .. } => {
                let mut shell = Command::new("sqlite3");
                shell.args(["-cmd", ".timeout 60000"]).arg(file);
                (shell, "BEGIN IMMEDIATE; SELECT 'locked';\n")
            }
            TestDatabase::Postgres { .. } => {
                let mut shell = Command::new("psql");
                shell.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]);
                shell.args(["--set=ON_ERROR_STOP=1", &database.url()]);
                // The answer comes last: by then both locks are held, so a write cannot come between them, which
                // would be a deadlock.
                let lock = "BEGIN; LOCK TABLE component IN EXCLUSIVE MODE; \
                            SELECT 'locked' FROM event_head FOR UPDATE;\n";
                (shell, lock)
            }
        };
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        shell.stdin.as_mut().unwrap().write_all(lock.as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut answer).unwrap();
        assert_eq!(answer.trim(), "locked");
        Self(shell)
    }

    /// Gives the locks back.
    pub(crate) fn release(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success(), "the other process lost its lock");
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
            drop(psql(&format!("{server}/postgres"), &format!("DROP TABLESPACE IF EXISTS {name}")));
        }
    }
}

/// Runs SQL with psql and returns what it prints.
pub(crate) fn psql(url: &str, sql: &str) -> Result<String, String> {
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
