//! Every chore of this repository: `cargo xtask --help`.

mod bench;
mod chore;
mod ci;
mod faults;
mod http;
mod new_subscriber;
mod parts;
mod repository;
mod requirement;
mod schemathesis;
mod service;
mod suites;
mod tally;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Every chore of this repository")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Run every test suite with what this machine has, and say what was skipped.
    Test,
    /// Run everything that a change must pass: format, lints, documentation, layout and licences, tests.
    Ci,
    /// Run random faults under mixed writes for some time, with the checker after each round.
    Faults(faults::Options),
    /// Compare the service with a hand-written peer and with a constant (needs wrk, sqlite3 and psql).
    Bench(bench::Options),
    /// Check the layout of the workspace and the licences of its dependencies.
    Tidy,
    /// Write openapi.json from the types.
    Openapi,
    /// Write docs/metrics.md from the catalogue of metrics.
    MetricsDocs,
    /// Write a subscriber of the product with its registration and its test.
    NewSubscriber {
        /// Its name, in lower case with hyphens, such as `low-stock-mail`.
        name: String,
    },
    /// Write a CSV file of 15,333 made-up parts to standard output: the same that the tests import.
    Parts,
}

fn main() -> ExitCode {
    run(Cli::parse().chore).unwrap_or_else(|error| {
        eprintln!("Error: {error:#}.");
        ExitCode::FAILURE
    })
}

fn run(chore: Chore) -> anyhow::Result<ExitCode> {
    match chore {
        Chore::Test => return suites::run(),
        Chore::Ci => return ci::run(),
        Chore::Faults(options) => return faults::run(&options),
        Chore::Bench(options) => bench::run(&options)?,
        Chore::Tidy => ci::tidy()?,
        Chore::Openapi => chore::write_example("inventory", "openapi", "openapi.json")?,
        Chore::MetricsDocs => chore::write_example("inventory-metrics", "catalogue", "docs/metrics.md")?,
        Chore::NewSubscriber { name } => new_subscriber::run(&name)?,
        Chore::Parts => io::stdout().write_all(parts::csv().as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}
