//! Database URLs. One that cannot be used may hold a password anywhere, so no part of it is shown.

use std::str::FromStr;

use sea_orm::sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};
use tracing::subscriber::{NoSubscriber, with_default};

use crate::error::OpenError;

/// What the parameters of a PostgreSQL URL are named. Further ones are ignored by the driver.
const POSTGRES_PARAMETERS: [&str; 17] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];
/// What the name of a parameter begins with that is a setting of the server, such as `options[search_path]`.
const POSTGRES_SETTING: &str = "options[";

/// A database URL, parsed.
#[derive(Debug)]
pub(crate) enum DatabaseUrl {
    Sqlite(SqliteConnectOptions),
    Postgres(PgConnectOptions),
}

impl FromStr for DatabaseUrl {
    type Err = OpenError;

    fn from_str(url: &str) -> Result<Self, OpenError> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") if !url.contains(":memory:") => {
                SqliteConnectOptions::from_str(url).map(Self::Sqlite).map_err(|_| OpenError::UrlSyntax)
            }
            Some("postgres" | "postgresql") => {
                warn_of_unknown_parameters(url);
                // The driver logs unknown parameters with their values.
                let options = with_default(NoSubscriber::default(), || PgConnectOptions::from_str(url));
                options.map(Self::Postgres).map_err(|_| OpenError::UrlSyntax)
            }
            _ => Err(OpenError::UrlScheme),
        }
    }
}

fn warn_of_unknown_parameters(url: &str) {
    let url = url.split('#').next().unwrap_or_default();
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters).split('&');
    let names = parameters.map(|parameter| parameter.split('=').next().unwrap_or_default());
    let known = |name: &str| {
        name.is_empty() || POSTGRES_PARAMETERS.contains(&name) || name.starts_with(POSTGRES_SETTING)
    };
    if !names.into_iter().all(known) {
        tracing::warn!("ignoring an unknown parameter of the database URL");
    }
}
