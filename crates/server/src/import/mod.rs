//! `inventory import`: makes the components like the rows of a CSV file, all of them or none.

mod fault;
mod mapping;
mod plan;
mod table;

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _, stdin, stdout},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};

pub(crate) use mapping::Mapping;

use crate::{
    Reported,
    config::{Common, Import},
    database::Purpose,
    target::{Attempt, Target},
};
use fault::Fault;
use plan::Plan;
use table::{Form, Table};

/// How often an import is planned anew because others changed its rows meanwhile.
const MAX_ATTEMPTS: usize = 5;
/// How often the progress bar moves while nothing is known but that work goes on.
const TICK: Duration = Duration::from_millis(100);

/// Carries out an import, or says what it would do.
pub(crate) async fn run(common: &Common, options: Import) -> anyhow::Result<()> {
    let bytes = read(&options.file)?;
    let form = Form {
        mappings: &options.map,
        delimiter: options.delimiter,
        list_separator: &options.list_separator,
    };
    let table = Table::read(&bytes, &form)?;
    drop(bytes);
    if !table.layout.unused.is_empty() {
        crate::say(&format!("note: nothing is filled from the columns {}", table.layout.unused.join(", ")));
    }
    let target = Target::open(common, &options.server, Purpose::Fill).await?;
    let outcome = match target.check_size(table.rows.len()) {
        Ok(()) => import(&target, &table, options.dry_run).await,
        Err(error) => Err(error),
    };
    target.close().await;
    outcome
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        stdin().read_to_end(&mut bytes).context("cannot read the standard input")?;
        return Ok(bytes);
    }
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

async fn import(target: &Target, table: &Table, dry_run: bool) -> anyhow::Result<()> {
    let mut overtaken = String::new();
    for _ in 0..MAX_ATTEMPTS {
        let plan = plan(target, table).await?;
        let bad_rows = report(table, &plan.faults);
        if dry_run {
            let Plan { created, updated, unchanged, .. } = plan;
            writeln!(
                stdout(),
                "would create {created}, update {updated}, leave {unchanged} unchanged; {bad_rows} bad rows"
            )?;
        } else if bad_rows > 0 {
            crate::say(&format!("error: nothing was changed, because {bad_rows} rows are bad"));
        }
        if bad_rows > 0 {
            return Err(Reported.into());
        }
        if dry_run {
            return Ok(());
        }
        match carry_out(target, &plan).await? {
            Attempt::Done => {
                let Plan { created, updated, unchanged, .. } = plan;
                writeln!(stdout(), "created {created}, updated {updated}, unchanged {unchanged}")?;
                return Ok(());
            }
            Attempt::Overtaken(refusals) => overtaken = sentence(&plan, &refusals),
        }
    }
    bail!(
        "nothing was changed, because the components could not be brought to what the file says: {overtaken}"
    )
}

/// Looks up what the rows are about and plans them.
async fn plan(target: &Target, table: &Table) -> anyhow::Result<Plan> {
    let ids: Vec<_> = table.rows.iter().filter_map(|row| row.id).collect();
    let skus: Vec<_> = table.rows.iter().filter_map(|row| row.sku.clone()).collect();
    let bar = ProgressBar::new((ids.len() + skus.len()) as u64);
    bar.set_style(style("looking up {bar:40} {pos}/{len}")?);
    let components = target.find(&ids, &skus, &bar).await?;
    bar.finish_and_clear();
    Ok(Plan::new(&table.rows, &components, &table.layout))
}

async fn carry_out(target: &Target, plan: &Plan) -> anyhow::Result<Attempt> {
    if plan.operations.is_empty() {
        return Ok(Attempt::Done);
    }
    let spinner = ProgressBar::new_spinner();
    spinner.set_style(style("{spinner} writing {msg} changes, {elapsed}")?);
    spinner.set_message(plan.operations.len().to_string());
    spinner.enable_steady_tick(TICK);
    let attempt = target.write(&plan.operations).await;
    spinner.finish_and_clear();
    attempt
}

fn style(template: &str) -> anyhow::Result<ProgressStyle> {
    Ok(ProgressStyle::with_template(template)?)
}

/// Prints every fault and returns how many rows have one.
fn report(table: &Table, planned: &[Fault]) -> usize {
    let faults: BTreeSet<_> = table.faults.iter().chain(planned).collect();
    for fault in &faults {
        crate::say(&fault.to_string());
    }
    faults.iter().map(|fault| fault.line).collect::<BTreeSet<_>>().len()
}

/// How many refusals an error names.
const MAX_NAMED: usize = 5;

fn sentence(plan: &Plan, refusals: &[(usize, String)]) -> String {
    let named = refusals.iter().take(MAX_NAMED).map(|(index, reason)| {
        let line = plan.lines.get(*index).copied().unwrap_or_default();
        format!("line {line}: {reason}")
    });
    let mut named: Vec<_> = named.collect();
    if refusals.len() > MAX_NAMED {
        named.push(format!("and {} more", refusals.len() - MAX_NAMED));
    }
    named.join("; ")
}
