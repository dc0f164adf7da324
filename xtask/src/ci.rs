//! What a change must pass, in the order in which it is fast to learn of a failure.

use std::process::ExitCode;

use crate::{chore, repository::cargo, suites};

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    chore::run(&mut cargo(&["fmt", "--all", "--check"]))?;
    chore::run(&mut cargo(&["fmt", "--manifest-path", "xtask/bench/peer/Cargo.toml", "--check"]))?;
    tidy()?;
    chore::run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))?;
    chore::run(
        cargo(&["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    suites::run()
}

/// The layout, the fences and the licences: `xtask/tests/tidy.rs`.
pub(crate) fn tidy() -> anyhow::Result<()> {
    chore::run(&mut cargo(&["test", "--locked", "--quiet", "--package", "xtask", "--test", "tidy"]))
}
