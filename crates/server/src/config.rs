//! Every command and option. Each option is a flag and an `INVENTORY_*` variable; the texts here are what
//! `--help` prints.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::{import::Mapping, secret::Text};

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
    /// Serve HTTP until SIGTERM or SIGINT.
    Serve(Serve),
    /// Bring the database schema up to date.
    Migrate,
    /// Create and update components from a CSV file, all or none of them.
    Import(Import),
    /// Write all components as CSV or JSON lines.
    Export(Export),
    /// Make, list and revoke API tokens.
    #[command(subcommand)]
    Token(Token),
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
    /// Whether `serve`, `import` and `token create` bring the schema up to date. Otherwise, and for all other
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
    /// How many connections read from the database at once.
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
    /// The secret of an API token named `bootstrap`, which is made at start: at least 16 characters.
    #[arg(
        long,
        value_name = "SECRET",
        env = "INVENTORY_BOOTSTRAP_TOKEN",
        hide_env_values = true,
        help_heading = "Serving"
    )]
    pub(crate) bootstrap_token: Option<Text>,
    /// A file that holds the secret of the bootstrap token.
    #[arg(
        long,
        value_name = "FILE",
        env = "INVENTORY_BOOTSTRAP_TOKEN_FILE",
        conflicts_with = "bootstrap_token",
        help_heading = "Serving"
    )]
    pub(crate) bootstrap_token_file: Option<PathBuf>,
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
    /// The bearer token that `/metrics/` asks for on the main address: at least 16 characters.
    #[arg(
        long,
        value_name = "SECRET",
        env = "INVENTORY_METRICS_TOKEN",
        hide_env_values = true,
        help_heading = "Metrics"
    )]
    pub(crate) metrics_token: Option<Text>,
    /// A file that holds the bearer token that `/metrics/` asks for.
    #[arg(
        long,
        value_name = "FILE",
        env = "INVENTORY_METRICS_TOKEN_FILE",
        conflicts_with = "metrics_token",
        help_heading = "Metrics"
    )]
    pub(crate) metrics_token_file: Option<PathBuf>,
    /// An address of its own for `/metrics/`, open to everyone who can connect to it.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "INVENTORY_METRICS_LISTEN",
        value_parser = address,
        help_heading = "Metrics"
    )]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Whether everyone who can connect to the main address may read `/metrics/` there. On a loopback address
    /// they may anyway, unless there is a metrics token.
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
    },
    /// List all tokens, also revoked ones.
    List,
    /// Revoke a token: it is good for nothing from now on.
    Revoke {
        /// What the token is called.
        name: String,
    },
}

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

fn token_name(text: &str) -> Result<String, String> {
    let max = inventory_store::Store::MAX_TOKEN_NAME_BYTES;
    if text.is_empty() || text.len() > max || text.trim() != text || text.chars().any(char::is_control) {
        return Err(format!(
            "must be 1 to {max} bytes without control characters and without a space at either end"
        ));
    }
    Ok(text.to_owned())
}
