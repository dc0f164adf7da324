//! `inventory import`: creates and updates components from the rows of a CSV file, all of them or none.

use std::{
    io::{Read as _, Write as _, stdin, stdout},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};
use inventory_csv::{Form, LayoutError, Outcome, Plan, Row, Table, TableError};
use inventory_store::ComponentOperation;

use super::{attempt::Attempt, backend::Backend};
use crate::{
    config::{Common, Import},
    database::Purpose,
    outcome::{Reported, say},
};

/// How often an import is planned again because its components were changed in the meantime.
const MAX_ATTEMPTS: usize = 5;
/// Tick interval of the spinner.
const TICK: Duration = Duration::from_millis(100);

/// Carries out an import, or prints what it would do.
pub(crate) async fn run(common: &Common, options: Import) -> anyhow::Result<()> {
    let bytes = read(&options.file)?;
    let form = Form {
        mappings: &options.map,
        delimiter: options.delimiter,
        list_separator: &options.list_separator,
        max_rows: usize::MAX,
        max_custom_values: usize::MAX,
    };
    let table = Table::read(&bytes, &form).map_err(explained)?;
    drop(bytes);
    if !table.layout.unused.is_empty() {
        say(&format!("note: these columns fill no field: {}", table.layout.unused.join(", ")));
    }
    let backend = Backend::open(common, &options.server, Purpose::Fill).await?;
    let outcome = match backend.check_size(table.rows.len()) {
        Ok(()) => import(&backend, &table, options.dry_run).await,
        Err(error) => Err(error),
    };
    backend.close().await;
    outcome
}

/// Adds to a file error the command-line option that fixes it, if there is one.
fn explained(error: TableError) -> anyhow::Error {
    match &error {
        TableError::Layout(LayoutError::NoSku { first }) => anyhow!(
            "{error}: the file has no column of that name, so say what it is made of, such as --map 'sku={{{}}}'",
            first.as_deref().unwrap_or("COLUMN")
        ),
        TableError::Layout(LayoutError::SlotTwice(_) | LayoutError::NoColumn { .. }) => {
            anyhow!("--map: {error}")
        }
        _ => error.into(),
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        stdin().read_to_end(&mut bytes).context("cannot read the standard input")?;
        return Ok(bytes);
    }
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

async fn import(backend: &Backend, table: &Table, dry_run: bool) -> anyhow::Result<()> {
    let mut overtaken = String::new();
    for _ in 0..MAX_ATTEMPTS {
        let plan = plan(backend, table).await?;
        let bad_rows = report(&plan);
        let created = plan.count(|outcome| matches!(outcome, Outcome::Create(_)));
        let updated = plan.count(|outcome| matches!(outcome, Outcome::Change { .. }));
        let unchanged = plan.count(|outcome| matches!(outcome, Outcome::Unchanged(_)));
        if dry_run {
            writeln!(
                stdout(),
                "would create {created}, update {updated}, leave {unchanged} unchanged; bad rows: {bad_rows}"
            )?;
        } else if bad_rows > 0 {
            say(&format!("error: nothing was changed; bad rows: {bad_rows}"));
        }
        if bad_rows > 0 {
            return Err(Reported.into());
        }
        if dry_run {
            return Ok(());
        }
        let (lines, operations) = plan.operations();
        match carry_out(backend, &operations).await? {
            Attempt::Done => {
                writeln!(stdout(), "created {created}, updated {updated}, unchanged {unchanged}")?;
                return Ok(());
            }
            Attempt::Overtaken(refusals) => overtaken = sentence(&lines, &refusals),
        }
    }
    bail!("nothing was changed, because the file conflicts with concurrent changes: {overtaken}")
}

/// Looks up the components of the rows and plans the import.
async fn plan(backend: &Backend, table: &Table) -> anyhow::Result<Plan> {
    let named = |row: &Row| u64::from(row.id.is_some()) + u64::from(row.sku.is_some());
    let bar = ProgressBar::new(table.rows.iter().map(named).sum());
    bar.set_style(style("looking up {bar:40} {pos}/{len}")?);
    let components = backend.find(&table.rows, &bar).await?;
    bar.finish_and_clear();
    Ok(Plan::new(table, &components)?)
}

async fn carry_out(backend: &Backend, operations: &[ComponentOperation]) -> anyhow::Result<Attempt> {
    if operations.is_empty() {
        return Ok(Attempt::Done);
    }
    let spinner = ProgressBar::new_spinner();
    spinner.set_style(style("{spinner} writing {msg} changes, {elapsed}")?);
    spinner.set_message(operations.len().to_string());
    spinner.enable_steady_tick(TICK);
    let attempt = backend.write(operations).await;
    if matches!(attempt, Ok(Attempt::Done)) {
        backend.index_search().await;
    }
    spinner.finish_and_clear();
    attempt
}

fn style(template: &str) -> anyhow::Result<ProgressStyle> {
    Ok(ProgressStyle::with_template(template)?)
}

/// Prints every fault and returns how many rows have one.
fn report(plan: &Plan) -> usize {
    for fault in plan.faults() {
        say(&fault.to_string());
    }
    plan.count(|outcome| matches!(outcome, Outcome::Faulty(_)))
}

/// Maximum number of refusals that an error lists.
const MAX_NAMED: usize = 5;

fn sentence(lines: &[u64], refusals: &[(usize, String)]) -> String {
    let named = refusals.iter().take(MAX_NAMED).map(|(index, reason)| {
        let line = lines.get(*index).copied().unwrap_or_default();
        format!("line {line}: {reason}")
    });
    let mut named: Vec<_> = named.collect();
    if refusals.len() > MAX_NAMED {
        named.push(format!("and {} more", refusals.len() - MAX_NAMED));
    }
    named.join("; ")
}
