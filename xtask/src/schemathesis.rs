//! Requests made up from the served OpenAPI document, right and wrong ones, whose answers must be as it says.

use std::{fs, process::Command};

use anyhow::{Context, ensure};

use crate::{
    chore, repository,
    service::{self, Running},
};

/// The same requests in every run, so that a failure can be repeated.
const SEED: &str = "20261122";
/// Requests that are made up for each operation in each phase.
const MAX_EXAMPLES: &str = "50";

/// Runs schemathesis against the service on an empty database.
///
/// `cargo test` has built the binary, with the features of the workspace; another build would make a second
/// copy of every dependency.
pub(crate) fn run() -> anyhow::Result<()> {
    let binary = repository::target().join("debug/inventory");
    ensure!(binary.is_file(), "there is no {}", binary.display());
    let folder = repository::target().join("schemathesis");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    let address = service::free_address()?;
    let url = format!("sqlite:{}", folder.join("inventory.db").display());
    let server =
        Running::start(&mut service::inventory(&binary, &url, address), address, &folder.join("server.log"))?;
    // What an OpenAPI document has no words for.
    let configuration = repository::root().join("crates/api/schemathesis");
    let outcome = chore::run(
        Command::new("schemathesis")
            .current_dir(&folder)
            .env("SCHEMATHESIS_HOOKS", configuration.join("hooks.py"))
            .arg("--config-file")
            .arg(configuration.join("config.toml"))
            .args(["run", &format!("http://{address}/openapi.json")])
            .args(["--header", &format!("Authorization: Bearer {}", service::TOKEN)])
            .args(["--checks", "all", "--seed", SEED, "--max-examples", MAX_EXAMPLES]),
    );
    server.stop()?;
    outcome
}
