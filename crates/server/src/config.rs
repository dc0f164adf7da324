//! Every command and option. Each option is a flag and an `INVENTORY_*` variable; the texts here are what
//! `--help` prints.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use inventory_core::{Field, FieldKind, Role, Scope, UserName};
use inventory_csv::Mapping;
use inventory_http::TrustedProxies;
use secrecy::SecretString;
use tracing_subscriber::EnvFilter;

/// The inventory service: components over HTTP, an event for every change, and metrics that equal the database.
///
/// Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "inventory", version, max_term_width = 100, subcommand_precedence_over_arg = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) serve: Serve,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve HTTP until SIGTERM or SIGINT. SIGHUP reloads certificates and secrets from their files.
    Serve(Serve),
    /// Bring the database schema up to date.
    Migrate,
    /// Create and update components from a CSV file, all or none of them.
    Import(Import),
    /// Write all components as CSV or JSON lines.
    Export(Export),
    /// Add, change and list the users who can sign in to the web admin.
    #[command(subcommand)]
    User(User),
    /// Create, list and revoke API tokens.
    #[command(subcommand)]
    Token(Token),
    /// Copy the database into a file while the server runs. SQLite only; use `pg_dump` with PostgreSQL.
    Backup(Backup),
    /// Replace the database with a backup. No server may be running.
    Restore(Restore),
    /// Verify every invariant of the database; the exit code is 1 if one is violated.
    Check(Check),
}

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The database: `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "INVENTORY_DATABASE_URL",
        hide_env_values = true,
        default_value = "sqlite:inventory.db",
        help_heading = "Database"
    )]
    pub(crate) database_url: SecretString,
    /// A file that holds the database URL.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "INVENTORY_DATABASE_URL_FILE",
        help_heading = "Database"
    )]
    pub(crate) database_url_file: Option<PathBuf>,
    /// Whether `serve`, `import`, `user add` and `token create` bring the schema up to date. Otherwise, and for all other
    /// commands, an outdated schema is an error.
    #[arg(
        long,
        global = true,
        value_name = "BOOL",
        env = "INVENTORY_MIGRATE",
        default_value = "true",
        action = clap::ArgAction::Set,
        help_heading = "Database"
    )]
    pub(crate) migrate: bool,
    /// The number of database connections for reads. As many more are reserved for the most frequent reads,
    /// and two more read the log for event streams.
    #[arg(
        long,
        global = true,
        value_name = "COUNT",
        env = "INVENTORY_READERS",
        default_value = "4",
        value_parser = clap::value_parser!(u32).range(1..=MAX_READERS),
        help_heading = "Database"
    )]
    pub(crate) readers: u32,
    /// The filter for the log on stderr, such as `info` or `warn,inventory_store=debug`. The default is
    /// `info` for `serve`, and `warn` for the other commands.
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "INVENTORY_LOG",
        value_parser = log_filter,
        help_heading = "Logging"
    )]
    pub(crate) log: Option<String>,
}

/// With more connections than this, queries only queue in the database.
const MAX_READERS: i64 = 256;

/// Each stream is a connection, and this is the maximum number of connections of a listener.
const MAX_EVENT_STREAMS: i64 = 8192;

/// Options of `serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The address to serve HTTP on. Port 0 chooses a free port.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "INVENTORY_LISTEN",
        default_value = "127.0.0.1:8000",
        value_parser = address,
        help_heading = "Serving"
    )]
    pub(crate) listen: SocketAddr,
    /// The IP networks of the reverse proxies in front of this service, such as `10.0.0.0/8,192.0.2.7`. The
    /// headers `Forwarded`, `X-Forwarded-For` and `X-Forwarded-Proto` are trusted from these addresses only.
    #[arg(long, value_name = "NETWORKS", env = "INVENTORY_TRUSTED_PROXIES", help_heading = "Serving")]
    pub(crate) trusted_proxies: Option<TrustedProxies>,
    /// The number of requests per second that one API token may send, or one address without a valid token.
    /// Bursts of twice this number are allowed. 0 disables the limit. Health checks and metrics are never
    /// limited. Invalid tokens are always limited: to 60 different ones from an address, then one per second.
    #[arg(
        long,
        value_name = "COUNT",
        env = "INVENTORY_RATE_LIMIT",
        default_value = "10000",
        help_heading = "Serving"
    )]
    pub(crate) rate_limit: u32,
    /// The maximum number of open event streams. One API token may have a quarter of them.
    #[arg(
        long,
        value_name = "COUNT",
        env = "INVENTORY_MAX_EVENT_STREAMS",
        default_value = "256",
        value_parser = clap::value_parser!(u32).range(1..=MAX_EVENT_STREAMS),
        help_heading = "Serving"
    )]
    pub(crate) max_event_streams: u32,
    /// The secret of an API token named `bootstrap`, which is created at startup: at least 16 characters.
    #[arg(
        long,
        value_name = "SECRET",
        env = "INVENTORY_BOOTSTRAP_TOKEN",
        hide_env_values = true,
        help_heading = "Serving"
    )]
    pub(crate) bootstrap_token: Option<SecretString>,
    /// A file that holds the secret of the bootstrap token. It is read again on SIGHUP, and a new secret
    /// replaces the old one.
    #[arg(
        long,
        value_name = "FILE",
        env = "INVENTORY_BOOTSTRAP_TOKEN_FILE",
        conflicts_with = "bootstrap_token",
        help_heading = "Serving"
    )]
    pub(crate) bootstrap_token_file: Option<PathBuf>,
    /// The password of the user `admin`, who is added at startup if there is no user: at least 12 characters.
    /// By default a random one is generated and printed.
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "INVENTORY_ADMIN_PASSWORD",
        hide_env_values = true,
        help_heading = "Serving"
    )]
    pub(crate) admin_password: Option<SecretString>,
    /// A file that holds the password of the user `admin`.
    #[arg(
        long,
        value_name = "FILE",
        env = "INVENTORY_ADMIN_PASSWORD_FILE",
        conflicts_with = "admin_password",
        help_heading = "Serving"
    )]
    pub(crate) admin_password_file: Option<PathBuf>,
    /// A PEM file with the TLS certificate, followed by its intermediate certificates. With it and the key,
    /// every address serves HTTPS. The files are checked for changes every 5 seconds and on SIGHUP; new
    /// connections then get the new certificate.
    #[arg(long, value_name = "FILE", env = "INVENTORY_TLS_CERT", help_heading = "Serving")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// A PEM file with the private key of the TLS certificate.
    #[arg(long, value_name = "FILE", env = "INVENTORY_TLS_KEY", help_heading = "Serving")]
    pub(crate) tls_key: Option<PathBuf>,
    /// How long requests are still served after SIGTERM or SIGINT while `/readyz` already fails, so that load
    /// balancers can stop sending requests. A second signal ends this time.
    #[arg(
        long,
        value_name = "SECONDS",
        env = "INVENTORY_DRAIN_SECONDS",
        default_value = "0",
        value_parser = clap::value_parser!(u64).range(0..=3600),
        help_heading = "Serving"
    )]
    drain_seconds: u64,
    /// How long a shutdown waits for requests and writes to finish.
    #[arg(
        long,
        value_name = "SECONDS",
        env = "INVENTORY_SHUTDOWN_TIMEOUT_SECONDS",
        default_value = "25",
        value_parser = clap::value_parser!(u64).range(1..=3600),
        help_heading = "Serving"
    )]
    shutdown_timeout_seconds: u64,
    /// The token that `/metrics/` requires: at least 16 characters. A scraper sends it as a bearer token, or
    /// as the password of the user `metrics`.
    #[arg(
        long,
        value_name = "SECRET",
        env = "INVENTORY_METRICS_TOKEN",
        hide_env_values = true,
        help_heading = "Metrics"
    )]
    pub(crate) metrics_token: Option<SecretString>,
    /// A file that holds the token that `/metrics/` requires. It is read again on SIGHUP.
    #[arg(
        long,
        value_name = "FILE",
        env = "INVENTORY_METRICS_TOKEN_FILE",
        conflicts_with = "metrics_token",
        help_heading = "Metrics"
    )]
    pub(crate) metrics_token_file: Option<PathBuf>,
    /// A separate address for `/metrics/`. Everyone who can connect to it may read the metrics, unless there
    /// is a metrics token.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "INVENTORY_METRICS_LISTEN",
        value_parser = address,
        help_heading = "Metrics"
    )]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Whether everyone who can connect to the main address may read `/metrics/` there. On a loopback address
    /// this is always so, unless there is a metrics token or a trusted proxy.
    #[arg(
        long,
        value_name = "BOOL",
        env = "INVENTORY_METRICS_PUBLIC",
        default_value = "false",
        action = clap::ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        help_heading = "Metrics"
    )]
    pub(crate) metrics_public: bool,
}

impl Serve {
    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }

    pub(crate) fn shutdown_timeout(&self) -> Duration {
        Duration::from_secs(self.shutdown_timeout_seconds)
    }
}

/// Options of `import`.
#[derive(Debug, Args)]
#[command(after_long_help = import_help())]
pub(crate) struct Import {
    /// The CSV file, with a header; `-` reads the standard input.
    pub(crate) file: PathBuf,
    /// Fill a field from a template in which `{COLUMN}` stands for the cell of that column. May be given once
    /// for each field.
    #[arg(long, value_name = "FIELD=TEMPLATE")]
    pub(crate) map: Vec<Mapping>,
    /// The separator between tags within a cell.
    #[arg(long, value_name = "TEXT", default_value = ",", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) list_separator: String,
    /// The separator between cells.
    #[arg(long, value_name = "CHARACTER", default_value = ",", value_parser = delimiter)]
    pub(crate) delimiter: u8,
    /// Report all bad rows and what the import would change, without changing anything.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) server: Server,
}

fn import_help() -> String {
    let names = |fields: &[Field]| fields.iter().map(|field| field.as_str()).collect::<Vec<_>>();
    let multiline: Vec<_> = Field::ALL.into_iter().filter(|field| field.kind() == FieldKind::Lines).collect();
    let multiline = names(&multiline).join(" and ");
    let lines = Field::ALL.chunks(6).map(|fields| format!("  {}", names(fields).join(", ")));
    let fields = lines.collect::<Vec<_>>().join(",\n");
    format!(
        "\
Each row is one component, identified by its sku. If a component with the sku exists, the row
updates the fields that differ; otherwise the row creates a component.

A column with the name of a field fills that field, unless --map says otherwise; `--map FIELD=`
leaves the field unchanged. A field that no column fills is left unchanged, and an empty cell clears
its field. Spaces around a cell are removed, except for {multiline}. The fields are:

{fields}

custom_fields is a JSON object with all custom fields; custom_fields.NAME is one of them, as text.

A column `id`, as `export` writes it, takes precedence: if a component with the id exists, the row
updates that component, even if the sku is empty or different.

  inventory import parts.csv --map 'sku={{library}}/{{part_number}}' --map 'name={{part_number}}'"
    )
}

/// Options of `backup`.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file to write. It is verified, and written completely or not at all.
    pub(crate) file: PathBuf,
    /// Replace the file if it exists.
    #[arg(long)]
    pub(crate) overwrite: bool,
}

/// Options of `restore`.
#[derive(Debug, Args)]
#[command(after_long_help = RESTORE_HELP)]
pub(crate) struct Restore {
    /// The backup. Omit it with PostgreSQL, after `pg_restore`.
    pub(crate) file: Option<PathBuf>,
}

const RESTORE_HELP: &str = "\
The current database is kept beside the new one, as `inventory.db.before-restore-TIME`.

The event log gets a new identity, so clients of the event stream are told to read everything again. Entity
tags, API tokens and sessions are those of the backup. An entity tag from after the backup never matches a
changed component.

With PostgreSQL, stop the servers, restore with pg_restore, and run `inventory restore` without a file before
you start them again.";

/// Options of `export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The output format.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    pub(crate) format: Format,
    /// The file to write instead of the standard output. It is written completely or not at all.
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The separator between tags within a cell.
    #[arg(long, value_name = "TEXT", default_value = ",", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) list_separator: String,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One component per row: its id and the fields that can be set.
    Csv,
    /// One component per line, as the API returns it.
    Jsonl,
}

/// A running server to use instead of the database.
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// Use the running server at this URL instead of the database.
    #[arg(long, value_name = "URL", env = "INVENTORY_URL", help_heading = "Server")]
    pub(crate) url: Option<reqwest::Url>,
    /// The API token for the server.
    #[arg(
        long,
        value_name = "SECRET",
        env = "INVENTORY_TOKEN",
        hide_env_values = true,
        help_heading = "Server"
    )]
    pub(crate) token: Option<SecretString>,
    /// A file that holds the API token for the server.
    #[arg(
        long,
        value_name = "FILE",
        env = "INVENTORY_TOKEN_FILE",
        conflicts_with = "token",
        help_heading = "Server"
    )]
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Create a token and print its secret, which is not shown again.
    Create {
        /// The name of the token.
        #[arg(value_parser = token_name)]
        name: String,
        /// What the token permits. May be given several times.
        #[arg(long = "scope", value_name = "SCOPE", value_parser = scope(), default_value = "write")]
        scopes: Vec<Scope>,
        /// The user who owns the token: it permits only what this user may do. Without a user it belongs to
        /// the operator.
        #[arg(long, value_name = "NAME", value_parser = user_name)]
        user: Option<UserName>,
        /// The number of days after which the token expires.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=MAX_EXPIRY_DAYS))]
        expires_in_days: Option<u16>,
    },
    /// List all tokens, including revoked ones.
    List,
    /// Revoke a token: it is no longer accepted.
    Revoke {
        /// The name of the token.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Add a user.
    Add {
        /// The name of the user.
        #[arg(value_parser = user_name)]
        name: UserName,
        /// The role of the user.
        #[arg(long, value_name = "ROLE", value_parser = role())]
        role: Role,
        #[command(flatten)]
        password: NewPassword,
    },
    /// Set a new password for a user, and end the user's sessions.
    Passwd {
        /// The name of the user.
        #[arg(value_parser = user_name)]
        name: UserName,
        #[command(flatten)]
        password: NewPassword,
    },
    /// Change the role of a user.
    Role {
        /// The name of the user.
        #[arg(value_parser = user_name)]
        name: UserName,
        /// The role of the user.
        #[arg(value_parser = role())]
        role: Role,
    },
    /// Disable a user: end the user's sessions, and refuse sign-ins and the user's tokens.
    Disable {
        /// The name of the user.
        #[arg(value_parser = user_name)]
        name: UserName,
    },
    /// Enable a disabled user again.
    Enable {
        /// The name of the user.
        #[arg(value_parser = user_name)]
        name: UserName,
    },
    /// Remove a user, with the user's sessions and tokens.
    Remove {
        /// The name of the user.
        #[arg(value_parser = user_name)]
        name: UserName,
    },
    /// List all users.
    List,
}

/// Where a new password comes from: the terminal, where it is typed twice, or the first line of piped input.
#[derive(Debug, Args)]
pub(crate) struct NewPassword {
    /// Generate a random password and print it, instead of asking for one.
    #[arg(long)]
    pub(crate) generate: bool,
}

/// The maximum lifetime of a token, in days.
const MAX_EXPIRY_DAYS: i64 = 3650;

/// Options of `check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// First set the stored count of components to the number of rows.
    #[arg(long)]
    pub(crate) repair_count: bool,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "must be an IP address and a port, such as 127.0.0.1:8000".to_owned())
}

fn log_filter(text: &str) -> Result<String, String> {
    match EnvFilter::builder().parse(text) {
        Ok(_) if !text.is_empty() => Ok(text.to_owned()),
        Ok(_) => Err("must not be empty".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ if text == "\\t" => Ok(b'\t'),
        _ => Err("must be one ASCII character, or \\t".to_owned()),
    }
}

fn role() -> impl TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::as_str)).try_map(|text| text.parse())
}

fn scope() -> impl TypedValueParser<Value = Scope> {
    PossibleValuesParser::new(Scope::ALL.map(Scope::as_str)).try_map(|text| text.parse())
}

fn user_name(text: &str) -> Result<UserName, String> {
    text.parse().map_err(|error: inventory_core::ValueError| error.to_string())
}

fn token_name(text: &str) -> Result<String, String> {
    let max = inventory_store::Tokens::MAX_NAME_BYTES;
    if text.is_empty() || text.len() > max || text.trim() != text || text.chars().any(char::is_control) {
        return Err(format!(
            "must be 1 to {max} bytes without control characters and without a space at either end"
        ));
    }
    Ok(text.to_owned())
}
