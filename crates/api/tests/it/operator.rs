//! What an operator does to a test's database past the service: backups, and a lock.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

use crate::database::TestDatabase;

/// Saves a backup of a database that nobody is connected to.
pub(crate) fn save(database: &TestDatabase) {
    match database {
        TestDatabase::Sqlite { directory } => {
            fs::copy(directory.path().join("inventory.db"), directory.path().join("backup")).unwrap();
        }
        TestDatabase::Postgres { server, name } => {
            psql(server, &format!("CREATE DATABASE {name}_backup TEMPLATE {name}"));
        }
    }
}

/// Restores the backup of a database that nobody is connected to.
pub(crate) fn restore(database: &TestDatabase) {
    match database {
        TestDatabase::Sqlite { directory } => {
            fs::rename(directory.path().join("backup"), directory.path().join("inventory.db")).unwrap();
        }
        TestDatabase::Postgres { server, name } => {
            psql(server, &format!("DROP DATABASE {name}"));
            psql(server, &format!("ALTER DATABASE {name}_backup RENAME TO {name}"));
        }
    }
}

/// A table that nobody can read until this is dropped.
pub(crate) struct Lock(Child);

/// Locks a table of PostgreSQL.
pub(crate) fn lock(database: &TestDatabase, table: &str) -> Lock {
    let mut child = Command::new("psql")
        .args([&database.url(), "-qAt"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let sql = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; SELECT 'locked';\n");
    child.stdin.as_mut().unwrap().write_all(sql.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "locked\n");
    Lock(child)
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The end of its input ends psql, and that the transaction.
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

fn psql(server: &str, sql: &str) {
    let output = Command::new("psql").args([&format!("{server}/postgres"), "-qc", sql]).output().unwrap();
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
}
