//! `inventory check`

use std::io::{Write as _, stdout};

use inventory_store::{CheckReport, Store};

use crate::{
    config::{Check, Common},
    database::{self, Purpose},
    outcome::Reported,
};

/// Verifies every invariant of the database and prints what it found.
pub(crate) async fn run(common: &Common, options: &Check) -> anyhow::Result<()> {
    let store = database::open(common, Purpose::Inspect).await?;
    let outcome = check(&store, options).await;
    store.close().await;
    if outcome?.is_sound() { Ok(()) } else { Err(Reported.into()) }
}

async fn check(store: &Store, options: &Check) -> anyhow::Result<CheckReport> {
    let mut out = stdout();
    if options.repair_count {
        let before = store.repair_count().await?;
        writeln!(out, "The stored count was {} and is now {}.", before.kept, before.counted)?;
    }
    let report = store.check().await?;
    let CheckReport { components, events, head, violations, more } = &report;
    writeln!(out, "Checked {components} components and {events} events, up to event {head}.")?;
    for violation in violations {
        writeln!(out, "violation: {violation}")?;
    }
    if *more > 0 {
        writeln!(out, "and {more} more violations")?;
    }
    if report.is_sound() {
        writeln!(out, "Every invariant holds.")?;
    }
    Ok(report)
}
