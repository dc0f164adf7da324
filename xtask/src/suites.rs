//! Every test suite, and the closing lines that say what ran.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    process::{ExitCode, Stdio},
    sync::{Mutex, PoisonError},
    thread,
};

use anyhow::{Context, ensure};

use crate::{
    repository::{cargo, in_ci},
    requirement, schemathesis,
    tally::Tally,
};

/// Runs all suites. The last line of the output is always the sum, so errors are printed here.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let mut tally = Tally::default();
    let missing = requirement::missing();
    for sentence in &missing {
        eprintln!("Note: {sentence}.");
    }
    let outcome = if in_ci() && !missing.is_empty() {
        tally.fail();
        Err(anyhow::anyhow!("with CI=true nothing may be skipped, and something is missing (see above)"))
    } else {
        suites(&mut tally)
    };
    if let Err(error) = &outcome {
        eprintln!("Error: {error:#}.");
    }
    let mut stdout = io::stdout().lock();
    for (reason, count) in tally.reasons() {
        writeln!(stdout, "Skipped {count}: {reason}")?;
    }
    if in_ci() && tally.skipped() > 0 {
        writeln!(stdout, "With CI=true nothing may be skipped, so this run failed.")?;
    }
    writeln!(stdout, "{tally}")?;
    stdout.flush()?;
    let failed = outcome.is_err() || tally.failed > 0 || (in_ci() && tally.skipped() > 0);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn suites(tally: &mut Tally) -> anyhow::Result<()> {
    let cargo_test = cargo_test(tally);
    if requirement::has_program("schemathesis") {
        match schemathesis::run() {
            Ok(()) => tally.pass(),
            Err(error) => {
                eprintln!("Error: {error:#}.");
                tally.fail();
            }
        }
    } else {
        tally.skip("there is no schemathesis");
    }
    cargo_test
}

/// The unit, integration and documentation tests of the workspace.
fn cargo_test(tally: &mut Tally) -> anyhow::Result<()> {
    let mut child = cargo(&["test", "--workspace", "--locked", "--no-fail-fast", "--", "--show-output"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run cargo test")?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let shared = Mutex::new(&mut *tally);
    thread::scope(|scope| {
        scope.spawn(|| follow(stderr, io::stderr(), &shared));
        follow(stdout, io::stdout(), &shared);
    });
    let status = child.wait()?;
    // A suite that does not compile, or that is killed, prints no summary.
    if !status.success() && tally.failed == 0 {
        tally.fail();
    }
    ensure!(status.success(), "cargo test failed: {status}");
    Ok(())
}

/// Passes on what a suite prints, but for the output of tests that passed, which is read only for what was
/// skipped.
fn follow(from: Option<impl Read>, mut to: impl Write, tally: &Mutex<&mut Tally>) {
    let mut quiet = false;
    for line in from.into_iter().flat_map(|from| BufReader::new(from).split(b'\n')).map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        quiet = match line.as_ref() {
            "successes:" => true,
            "failures:" => false,
            other => quiet && !other.starts_with("test result: "),
        };
        tally.lock().unwrap_or_else(PoisonError::into_inner).read(&line);
        if !quiet {
            // Who closed our output does not want to know; the tests still count.
            let _ = writeln!(to, "{line}");
        }
    }
}
