//! The binary `inventory`: reads the configuration, puts the crates together, and turns what went wrong into
//! one sentence and an exit code. What the service does is in the other crates.

mod backup;
mod check;
mod config;
mod connections;
mod database;
mod descriptors;
mod environment;
mod export;
mod import;
mod listen;
mod logging;
mod migrate;
mod reload;
mod remote;
mod secret;
mod serve;
mod table;
mod target;
mod tls;
mod token;
mod user;
mod welcome;
mod write_deadline;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{ArgMatches, Args as _, CommandFactory as _, FromArgMatches as _, parser::ValueSource};
use inventory_csv::SheetError;

use config::{Cli, Command, Common};
use logging::Log;

/// What a command ends with where it did what was asked but what it found is bad: a violation, a bad row.
const FAILURE: u8 = 1;
/// What a command ends with where it was asked wrongly.
const USAGE: u8 = 2;

/// What there is to say was said already; only the exit code is left to tell of it.
#[derive(Debug, thiserror::Error)]
#[error("see above")]
struct Reported;

/// The options do not go together, or one of them has a bad value.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Misconfigured(String);

fn main() -> ExitCode {
    match configure() {
        Ok(cli) => run(cli),
        Err(code) => code,
    }
}

fn configure() -> Result<Cli, ExitCode> {
    let mut command = Cli::command();
    command.build();
    let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    if let Some(sentence) = environment::unknown(&command, variables) {
        say(&format!("error: {sentence}"));
        return Err(USAGE.into());
    }
    let parsed = command.try_get_matches_from_mut(std::env::args_os()).and_then(|matches| {
        refuse_misplaced(&matches)?;
        Cli::from_arg_matches(&matches)
    });
    parsed.map_err(|error| {
        if error.use_stderr() {
            let given: Vec<_> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
            say(environment::explain(&error, &command, &given).trim_end());
            USAGE.into()
        } else {
            // The text of --help and --version.
            match error.print() {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => FAILURE.into(),
            }
        }
    })
}

/// `inventory --listen … import` would drop the option without a word.
fn refuse_misplaced(matches: &ArgMatches) -> Result<(), clap::Error> {
    let Some(name) = matches.subcommand_name() else { return Ok(()) };
    let serve = config::Serve::augment_args(clap::Command::new(""));
    let misplaced = serve.get_arguments().find(|arg| {
        let id = arg.get_id().as_str();
        matches.value_source(id) == Some(ValueSource::CommandLine)
    });
    match misplaced.and_then(clap::Arg::get_long) {
        Some(flag) => {
            let what = format!("--{flag} belongs behind `serve`, and the command is `{name}`\n");
            Err(clap::Error::raw(clap::error::ErrorKind::ArgumentConflict, what))
        }
        None => Ok(()),
    }
}

/// What is logged where this serves. Of a migration, that it is made: its steps would hide what a first start has to
/// say.
const SERVE_LOG: &str = "info,sea_orm_migration=warn,sqlx::postgres::notice=warn";

/// After how many tasks a thread of the runtime looks for what the network and other threads brought. The
/// writer waits for the database some five times a transaction, and must not wait behind all the requests
/// that its last one woke: with tokio's 61 and 31, PostgreSQL took a fifth fewer creates.
const TICKS: u32 = 8;

fn run(cli: Cli) -> ExitCode {
    let Cli { common, serve, command } = cli;
    let command = command.unwrap_or(Command::Serve(serve));
    let serves = matches!(command, Command::Serve(_));
    let filter = common.log.as_deref().unwrap_or(if serves { SERVE_LOG } else { "warn" });
    let log = match Log::start(filter) {
        Ok(log) => log,
        Err(error) => {
            say(&format!("error: {error:#}"));
            return FAILURE.into();
        }
    };
    let code = match carry_out(&common, command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Reported>() => FAILURE.into(),
        // Whoever reads our output has read enough, as `head` does.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            log.say(&format!("error: {error:#}"));
            if error.is::<Misconfigured>() { USAGE.into() } else { FAILURE.into() }
        }
    };
    // A server ends also where nobody reads its log.
    log.flush(serves.then_some(logging::FLUSH_TIMEOUT));
    code
}

fn carry_out(common: &Common, command: Command) -> anyhow::Result<()> {
    // reqwest is built without a default for this. An error means that there is one already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .event_interval(TICKS)
        .global_queue_interval(TICKS)
        .build()?;
    let outcome = runtime.block_on(async {
        match command {
            Command::Serve(options) => serve::run(common, options).await,
            Command::Migrate => migrate::run(common).await,
            Command::Import(options) => import::run(common, options).await,
            Command::Export(options) => export::run(common, options).await,
            Command::User(command) => user::run(common, command).await,
            Command::Token(command) => token::run(common, command).await,
            Command::Backup(options) => backup::run(common, options).await,
            Command::Restore(options) => backup::restore(common, options).await,
            Command::Check(options) => check::run(common, &options).await,
        }
    });
    // What a command needs, it has waited for. What else runs must not delay the end.
    runtime.shutdown_background();
    outcome
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        // An error that shows another as its own is not among the causes, and neither is what it shows.
        let sheet = cause.downcast_ref::<SheetError>().and_then(|error| match error {
            SheetError::Io(error) => Some(error),
            _ => None,
        });
        let io = cause.downcast_ref::<io::Error>().or(sheet);
        io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// Writes a sentence for people to stderr. If that fails, there is nowhere to report it.
fn say(sentence: &str) {
    drop(writeln!(io::stderr(), "{sentence}"));
}
