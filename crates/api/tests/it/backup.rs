//! Backups of a test's database, as an operator without the service would make and restore them.

use std::{fs, process::Command};

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

fn psql(server: &str, sql: &str) {
    let output = Command::new("psql").args([&format!("{server}/postgres"), "-qc", sql]).output().unwrap();
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
}
