//! Opening the database that the options name.

use std::path::Path;

use anyhow::{Context as _, ensure};
use inventory_store::{Config, Store};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{config::Common, secret};

/// What a command does with the database. It decides whether a missing database is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Write to it: a missing database is created, and the schema is migrated if the options allow it.
    Fill,
    /// Migrate the schema, regardless of the options.
    Migrate,
    /// Read it, or change a detail of it. A command that runs beside a server of another version must not
    /// change the schema.
    Inspect,
}

/// Opens the database.
pub(crate) async fn open(common: &Common, purpose: Purpose) -> anyhow::Result<Store> {
    let url = url(common)?;
    let url = url.expose_secret();
    if purpose == Purpose::Inspect
        && let Some(path) = sqlite_file(url)
    {
        ensure!(path.exists(), "there is no database {}", path.display());
    }
    let mut config = Config::new(url);
    config.readers = common.readers;
    config.migrate = match purpose {
        Purpose::Fill => common.migrate,
        Purpose::Migrate => true,
        Purpose::Inspect => false,
    };
    Store::open(config).await.context("cannot use the database that INVENTORY_DATABASE_URL names")
}

/// The database URL that the options give.
pub(crate) fn url(common: &Common) -> anyhow::Result<SecretString> {
    match &common.database_url_file {
        Some(path) => secret::read("INVENTORY_DATABASE_URL_FILE", path),
        None => Ok(common.database_url.clone()),
    }
}

/// The file behind a SQLite URL; `None` for a database in memory and for other databases.
fn sqlite_file(url: &str) -> Option<&Path> {
    let rest = url.strip_prefix("sqlite:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let path = rest.split_once('?').map_or(rest, |(path, _)| path);
    (path != ":memory:" && !path.is_empty()).then(|| Path::new(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_behind_a_url_is_found() {
        let file = |url| sqlite_file(url).and_then(Path::to_str);
        assert_eq!(file("sqlite:inventory.db"), Some("inventory.db"));
        assert_eq!(file("sqlite:///var/lib/inventory.db?mode=rwc"), Some("/var/lib/inventory.db"));
        assert_eq!(file("sqlite::memory:"), None);
        assert_eq!(file("postgres://postgres@127.0.0.1/inventory"), None);
    }
}
