//! Every command and option. Each option is a flag and an `INVENTORY_*` variable; the texts here are what
//! `--help` prints.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use inventory_api::TrustedProxies;
use inventory_core::{Role, Scope, UserName};
use inventory_csv::Mapping;
use tracing_subscriber::EnvFilter;

use crate::secret::Text;

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
    /// Make, list and revoke API tokens.
    #[command(subcommand)]
    Token(Token),
    /// Copy the database into a file while the server runs. SQLite only; use `pg_dump` with PostgreSQL.
    Backup(Backup),
    /// Put a backup in the place of the database while no server runs.
    Restore(Restore),
    /// Verify every invariant of the database; the exit code is 1 where one is violated.
    Check(Check),
}

/// What every command takes.
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
    pub(crate) database_url: Text,
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
    /// How many connections read from the database at once, and how many more are kept for the most frequent
    /// reads. Two more read the log for event streams.
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
    /// What is logged to stderr, such as `info` or `warn,inventory_store=debug`. `info` where this serves,
    /// otherwise `warn`.
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

/// More connections than this only queue in the database itself.
const MAX_READERS: i64 = 256;

/// Each stream is a connection, of which a listener takes no more.
const MAX_EVENT_STREAMS: i64 = 8192;

/// What `serve` takes.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The address on which HTTP is served. Port 0 takes a free one.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "INVENTORY_LISTEN",
        default_value = "127.0.0.1:8000",
        value_parser = address,
        help_heading = "Serving"
    )]
    pub(crate) listen: SocketAddr,
    /// The IP networks of the reverse proxies in front of this service, such as `10.0.0.0/8,192.0.2.7`. What they
    /// say of their clients in `Forwarded`, `X-Forwarded-For` and `X-Forwarded-Proto` is believed, and nobody
    /// else.
    #[arg(long, value_name = "NETWORKS", env = "INVENTORY_TRUSTED_PROXIES", help_heading = "Serving")]
    pub(crate) trusted_proxies: Option<TrustedProxies>,
    /// How many requests a second are answered to one API token, and to one address without a good token; twice
    /// as many may come at once. 0 is no limit. Health checks and metrics are never limited, and wrong tokens
    /// always are: 60 different ones from an address, then one a second.
    #[arg(
        long,
        value_name = "COUNT",
        env = "INVENTORY_RATE_LIMIT",
        default_value = "10000",
        help_heading = "Serving"
    )]
    pub(crate) rate_limit: u32,
    /// How many event streams may be open at once. One API token may have a quarter of them.
    #[arg(
        long,
        value_name = "COUNT",
        env = "INVENTORY_MAX_EVENT_STREAMS",
        default_value = "256",
        value_parser = clap::value_parser!(u32).range(1..=MAX_EVENT_STREAMS),
        help_heading = "Serving"
    )]
    pub(crate) max_event_streams: u32,
    /// The secret of an API token named `bootstrap`, which is made at start: at least 16 characters.
    #[arg(
        long,
        value_name = "SECRET",
        env = "INVENTORY_BOOTSTRAP_TOKEN",
        hide_env_values = true,
        help_heading = "Serving"
    )]
    pub(crate) bootstrap_token: Option<Text>,
    /// A file that holds the secret of the bootstrap token. It is read again at SIGHUP, and a new secret replaces the
    /// old one.
    #[arg(
        long,
        value_name = "FILE",
        env = "INVENTORY_BOOTSTRAP_TOKEN_FILE",
        conflicts_with = "bootstrap_token",
        help_heading = "Serving"
    )]
    pub(crate) bootstrap_token_file: Option<PathBuf>,
    /// The password of the user `admin`, who is added at the start if there is no user: at least 12 characters.
    /// Without it a random one is made and printed.
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "INVENTORY_ADMIN_PASSWORD",
        hide_env_values = true,
        help_heading = "Serving"
    )]
    pub(crate) admin_password: Option<Text>,
    /// A file that holds the password of the user `admin`.
    #[arg(
        long,
        value_name = "FILE",
        env = "INVENTORY_ADMIN_PASSWORD_FILE",
        conflicts_with = "admin_password",
        help_heading = "Serving"
    )]
    pub(crate) admin_password_file: Option<PathBuf>,
    /// A file with a TLS certificate as PEM, and behind it those that vouch for it. With it and the key, every
    /// address is served by HTTPS. When the files change, which is looked for every 5 seconds and at SIGHUP, new
    /// connections get the new certificate.
    #[arg(long, value_name = "FILE", env = "INVENTORY_TLS_CERT", help_heading = "Serving")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// A file with the private key of the TLS certificate, as PEM.
    #[arg(long, value_name = "FILE", env = "INVENTORY_TLS_KEY", help_heading = "Serving")]
    pub(crate) tls_key: Option<PathBuf>,
    /// How long requests are still served after SIGTERM or SIGINT while `/readyz` already fails, so that a load
    /// balancer notices first. A second signal ends this time.
    #[arg(
        long,
        value_name = "SECONDS",
        env = "INVENTORY_DRAIN_SECONDS",
        default_value = "0",
        value_parser = clap::value_parser!(u64).range(0..=3600),
        help_heading = "Serving"
    )]
    drain_seconds: u64,
    /// How long a stop waits for requests and writes to finish.
    #[arg(
        long,
        value_name = "SECONDS",
        env = "INVENTORY_SHUTDOWN_TIMEOUT_SECONDS",
        default_value = "25",
        value_parser = clap::value_parser!(u64).range(1..=3600),
        help_heading = "Serving"
    )]
    shutdown_timeout_seconds: u64,
    /// The token that `/metrics/` asks for: at least 16 characters. A scraper sends it as a bearer token, or as the
    /// password of the user `metrics`.
    #[arg(
        long,
        value_name = "SECRET",
        env = "INVENTORY_METRICS_TOKEN",
        hide_env_values = true,
        help_heading = "Metrics"
    )]
    pub(crate) metrics_token: Option<Text>,
    /// A file that holds the token that `/metrics/` asks for. It is read again at SIGHUP.
    #[arg(
        long,
        value_name = "FILE",
        env = "INVENTORY_METRICS_TOKEN_FILE",
        conflicts_with = "metrics_token",
        help_heading = "Metrics"
    )]
    pub(crate) metrics_token_file: Option<PathBuf>,
    /// An address of its own for `/metrics/`, open to everyone who can connect to it unless there is a metrics
    /// token.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "INVENTORY_METRICS_LISTEN",
        value_parser = address,
        help_heading = "Metrics"
    )]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Whether everyone who can connect to the main address may read `/metrics/` there. On a loopback address
    /// they may anyway, unless there is a metrics token or a trusted proxy.
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

/// What `import` takes.
#[derive(Debug, Args)]
#[command(after_long_help = IMPORT_HELP)]
pub(crate) struct Import {
    /// The CSV file, with a header; `-` is the standard input.
    pub(crate) file: PathBuf,
    /// Fill a field from columns: text in which `{COLUMN}` stands for a cell. May be given once for each field.
    #[arg(long, value_name = "FIELD=TEMPLATE")]
    pub(crate) map: Vec<Mapping>,
    /// What separates tags within a cell.
    #[arg(long, value_name = "TEXT", default_value = ",", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) list_separator: String,
    /// What separates cells.
    #[arg(long, value_name = "CHARACTER", default_value = ",", value_parser = delimiter)]
    pub(crate) delimiter: u8,
    /// Report every bad row and what would be done, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) server: Server,
}

const IMPORT_HELP: &str = "\
Each row is one component, known by its sku: a row whose sku exists updates that component where it
differs, any other row creates one, and a row that is as the component already is changes nothing.

A column whose name is that of a field fills the field, unless --map says otherwise; `--map FIELD=`
leaves the field alone. The fields are sku, name, description, notes, manufacturer, mpn, barcode,
unit, min_quantity, unit_cost, currency, datasheet_url, tags, custom_fields (all of them, as a JSON
object), custom_fields.NAME (one of them, as text) and status. A field that nothing fills is left
alone, and an empty cell empties its field. Spaces around a cell are dropped, but for description
and notes.

A column `id`, as `export` writes it, comes first: where a component has the id, the row is about
that one, also if the sku is empty or another.

  inventory import parts.csv --map 'sku={library}/{part_number}' --map 'name={part_number}'";

/// What `backup` takes.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file to write. It is verified, and there completely or not at all.
    pub(crate) file: PathBuf,
    /// Replace the file if it exists.
    #[arg(long)]
    pub(crate) overwrite: bool,
}

/// What `restore` takes.
#[derive(Debug, Args)]
#[command(after_long_help = RESTORE_HELP)]
pub(crate) struct Restore {
    /// The backup. Leave it out with PostgreSQL, after `pg_restore`.
    pub(crate) file: Option<PathBuf>,
}

const RESTORE_HELP: &str = "\
The database that is there is kept beside the new one, as `inventory.db.before-restore-TIME`.

The event log gets a new identity: clients of the event stream are told to read everything again. Entity tags,
API tokens and sessions are those of the backup; a tag from after the backup never matches a changed component.

With PostgreSQL, stop the servers, restore with pg_restore, and run `inventory restore` without a file before
you start them again.";

/// What `export` takes.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The form.
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    pub(crate) format: Format,
    /// The file to write instead of the standard output. It is there completely or not at all.
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// What separates tags within a cell.
    #[arg(long, value_name = "TEXT", default_value = ",", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) list_separator: String,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One component a row: its id and the fields that can be set.
    Csv,
    /// One component a line, as the API answers it.
    Jsonl,
}

/// A running server to work through, instead of a database.
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// Work through the server at this URL instead of the database.
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
    pub(crate) token: Option<Text>,
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
    /// Make a token and print its secret, which is shown this once.
    Create {
        /// What the token is called.
        #[arg(value_parser = token_name)]
        name: String,
        /// What it opens; may be given several times.
        #[arg(long = "scope", value_name = "SCOPE", value_parser = scope(), default_value = "write")]
        scopes: Vec<Scope>,
        /// Whose token it is: it can do nothing that this user may not. Without a user it is the operator's.
        #[arg(long, value_name = "NAME", value_parser = user_name)]
        user: Option<UserName>,
        /// After how many days it ceases to be good.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=MAX_EXPIRY_DAYS))]
        expires_in_days: Option<u16>,
    },
    /// List all tokens, also revoked ones.
    List,
    /// Revoke a token: it is good for nothing from now on.
    Revoke {
        /// What the token is called.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Add a user.
    Add {
        /// What the user signs in with.
        #[arg(value_parser = user_name)]
        name: UserName,
        /// What the user may do.
        #[arg(long, value_name = "ROLE", value_parser = role())]
        role: Role,
        #[command(flatten)]
        password: NewPassword,
    },
    /// Give a user another password, which ends the user's sessions.
    Passwd {
        /// What the user signs in with.
        #[arg(value_parser = user_name)]
        name: UserName,
        #[command(flatten)]
        password: NewPassword,
    },
    /// Give a user another role.
    Role {
        /// What the user signs in with.
        #[arg(value_parser = user_name)]
        name: UserName,
        /// What the user may do.
        #[arg(value_parser = role())]
        role: Role,
    },
    /// Keep a user out: end the user's sessions, and refuse sign-ins and the user's tokens.
    Disable {
        /// What the user signs in with.
        #[arg(value_parser = user_name)]
        name: UserName,
    },
    /// Let a user in again who was disabled.
    Enable {
        /// What the user signs in with.
        #[arg(value_parser = user_name)]
        name: UserName,
    },
    /// Remove a user, with the user's sessions and tokens.
    Remove {
        /// What the user signs in with.
        #[arg(value_parser = user_name)]
        name: UserName,
    },
    /// List all users.
    List,
}

/// Where a new password comes from: the terminal, where it is typed twice, or the first line of what is piped in.
#[derive(Debug, Args)]
pub(crate) struct NewPassword {
    /// Make a random password and print it, instead of asking for one.
    #[arg(long)]
    pub(crate) generate: bool,
}

/// How far ahead a token can expire.
const MAX_EXPIRY_DAYS: i64 = 3650;

/// What `check` takes.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// First set the kept count of components to the number of rows.
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
