//! `cargo xtask faults`: the campaign of random faults, for as long as one likes.

use std::process::ExitCode;

use clap::Args;

use crate::repository::cargo;

/// How the campaign is run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How long the campaign lasts on each of the two databases.
    #[arg(long, default_value = "300", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// The seed of the first round. Each further round has the next one.
    #[arg(long, default_value = "1", value_name = "NUMBER")]
    seed: u64,
}

/// Runs the campaign on both databases, one after the other. Its rounds and findings are printed.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let mut command = cargo(&["test", "--package", "inventory", "--test", "it", "--"]);
    command.args(["campaign::", "--test-threads", "1", "--nocapture"]);
    command.env("INVENTORY_FAULTS_SECONDS", options.seconds.to_string());
    command.env("INVENTORY_FAULTS_SEED", options.seed.to_string());
    let passed = command.status()?.success();
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
