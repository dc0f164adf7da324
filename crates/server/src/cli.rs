//! The commands: reads the configuration, runs the command, and turns what went wrong into one sentence and an exit code.

mod api_client;
mod attempt;
mod backend;
mod backup;
mod check;
mod export;
mod import;
mod migrate;
mod table;
mod token;
mod user;

use std::{io, process::ExitCode};

use clap::{ArgMatches, Args as _, CommandFactory as _, FromArgMatches as _, parser::ValueSource};
use inventory_csv::ComponentWriterError;

use crate::{
    config::{self, Cli, Command, Common},
    environment,
    logging::{self, Log},
    outcome::{FAILURE, Misconfigured, Reported, USAGE, say},
    serve,
    subscribers::{ConfiguredSubscribers, Subscribers},
};

/// The command that serves, which may be left out.
const SERVE: &str = "serve";

/// Runs the service as its configuration says, and returns the exit code of the process: the whole of a binary.
///
/// `register` adds subscribers to those of the product:
///
/// ```no_run
/// use inventory_core::{ComponentCreated, EventEnvelope, HandlerResult, Subscriber};
///
/// struct Greeter;
///
/// impl Subscriber for Greeter {
///     type Event = ComponentCreated;
///     const NAME: &'static str = "greeter";
///     async fn handle(&self, event: EventEnvelope<ComponentCreated>) -> HandlerResult {
///         eprintln!("hello, {}", event.data.component.name);
///         Ok(())
///     }
/// }
///
/// fn main() -> std::process::ExitCode {
///     inventory::main(|subscribers| {
///         subscribers.add(Greeter);
///     })
/// }
/// ```
pub fn main(register: impl FnOnce(&mut Subscribers)) -> ExitCode {
    let mut subscribers = Subscribers::default();
    register(&mut subscribers);
    match configure(subscribers) {
        Ok((cli, subscribers)) => run(cli, subscribers),
        Err(code) => code,
    }
}

fn configure(subscribers: Subscribers) -> Result<(Cli, ConfiguredSubscribers), ExitCode> {
    let mut command = subscribers.augment(Cli::command());
    command = command.mut_subcommand(SERVE, |serve| subscribers.augment(serve));
    command.build();
    let variables = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    if let Some(sentence) = environment::unknown(&command, variables) {
        say(&format!("error: {sentence}"));
        return Err(USAGE.into());
    }
    let parsed = command.try_get_matches_from_mut(std::env::args_os()).and_then(|matches| {
        refuse_misplaced(&matches, &subscribers)?;
        Ok((Cli::from_arg_matches(&matches)?, matches))
    });
    let (cli, matches) = parsed.map_err(|error| {
        if error.use_stderr() {
            let given: Vec<_> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
            say(environment::explain(&error, &command, &given).trim_end());
            USAGE.into()
        } else {
            // The text of --help and --version.
            match error.print() {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::from(FAILURE),
            }
        }
    })?;
    let serve = match matches.subcommand() {
        None => Some(&matches),
        Some((name, matches)) => (name == SERVE).then_some(matches),
    };
    let configured = serve.map(|matches| subscribers.configure(matches)).transpose();
    let configured = configured.map_err(|error| {
        say(&format!("error: {error}"));
        ExitCode::from(USAGE)
    })?;
    Ok((cli, configured.unwrap_or_default()))
}

/// `inventory --listen … import` would drop the option without a word.
fn refuse_misplaced(matches: &ArgMatches, subscribers: &Subscribers) -> Result<(), clap::Error> {
    let Some(name) = matches.subcommand_name() else { return Ok(()) };
    let serve = subscribers.augment(config::Serve::augment_args(clap::Command::new("")));
    let misplaced = serve.get_arguments().find(|arg| {
        let id = arg.get_id().as_str();
        matches.value_source(id) == Some(ValueSource::CommandLine)
    });
    match misplaced.and_then(clap::Arg::get_long) {
        Some(flag) => {
            let what = format!("--{flag} is an option of `serve`, and the command is `{name}`\n");
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

fn run(cli: Cli, subscribers: ConfiguredSubscribers) -> ExitCode {
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
    let code = match carry_out(&common, command, subscribers) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Reported>() => FAILURE.into(),
        // The reader of the output closed the pipe, as `head` does.
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

fn carry_out(common: &Common, command: Command, subscribers: ConfiguredSubscribers) -> anyhow::Result<()> {
    // reqwest is built without a default for this. An error means that there is one already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .event_interval(TICKS)
        .global_queue_interval(TICKS)
        .build()?;
    let outcome = runtime.block_on(async {
        match command {
            Command::Serve(options) => serve::run(common, options, subscribers).await,
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
        let sheet = cause.downcast_ref::<ComponentWriterError>().and_then(|error| match error {
            ComponentWriterError::Io(error) => Some(error),
            _ => None,
        });
        let io = cause.downcast_ref::<io::Error>().or(sheet);
        io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}
