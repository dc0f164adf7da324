//! From a file and its settings to rows that wait: what each would do, compared with what there is now.

use std::sync::Arc;

use inventory_core::{ComponentId, ComponentPatch, NewComponent};
use inventory_csv::{Fault, Outcome, Plan, Planned, Table};
use inventory_store::{ComponentOperation, RowKind, StagedRow, Store, VersionPrecondition};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Turn, settings::Settings};
use crate::failure::Failure;

/// What becomes of the file: its rows, or what is wrong with it as a whole.
pub(super) type Rows = Result<Vec<StagedRow>, String>;

/// Reads a file and compares it with the components that there are.
pub(super) async fn plan(
    store: &Store,
    turn: &Turn,
    content: Arc<Vec<u8>>,
    settings: &Settings,
) -> Result<Rows, Failure> {
    let unexpected = |error: &dyn std::fmt::Display| Failure::Unexpected(error.to_string());
    let mappings = match settings.mappings() {
        Ok(mappings) => mappings,
        Err(sentence) => return Ok(Err(sentence)),
    };
    let settings = settings.clone();
    let read = move || Table::read(&content, &settings.form(&mappings));
    let table = match turn.work(read).await? {
        Ok(table) => table,
        Err(error) => return Ok(Err(sentence(&error.to_string()))),
    };
    let components = inventory_csv::existing(store, &table.rows, |_| {}).await?;
    let compare = move || {
        let plan = Plan::new(&table, &components).map_err(|error| unexpected(&error))?;
        plan.rows.into_iter().map(|row| staged(row).map_err(|error| unexpected(&error))).collect()
    };
    let rows: Result<Vec<_>, Failure> = turn.work(compare).await?;
    Ok(Ok(rows?))
}

/// What an error says, as a separate sentence.
fn sentence(words: &str) -> String {
    let mut characters = words.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}

/// What a change is made of.
#[derive(Serialize, Deserialize)]
struct Change<P> {
    id: ComponentId,
    version: u64,
    patch: P,
}

fn staged(Planned { line, outcome }: Planned) -> Result<StagedRow, serde_json::Error> {
    let (kind, body) = match outcome {
        Outcome::Create(component) => (RowKind::Create, serde_json::to_string(&component)?),
        Outcome::Change { id, version, patch } => {
            (RowKind::Change, serde_json::to_string(&Change { id, version, patch })?)
        }
        Outcome::Unchanged(id) => (RowKind::Unchanged, serde_json::to_string(&id)?),
        Outcome::Faulty(faults) => (RowKind::Faulty, serde_json::to_string(&faults)?),
    };
    Ok(StagedRow { line, kind, body })
}

/// What a row that waited would do.
pub(super) fn outcome(row: &StagedRow) -> Result<Outcome, Failure> {
    let wrong = || Failure::Unexpected(format!("line {} of an import is not as it was planned", row.line));
    let json = |text: &str| serde_json::from_str::<Value>(text).map_err(|_| wrong());
    Ok(match row.kind {
        RowKind::Create => {
            let component = NewComponent::from_json(json(&row.body)?).map_err(|_| wrong())?;
            Outcome::Create(Box::new(component))
        }
        RowKind::Change => {
            let Change { id, version, patch } =
                serde_json::from_str::<Change<Value>>(&row.body).map_err(|_| wrong())?;
            let patch = ComponentPatch::from_json(patch).map_err(|_| wrong())?;
            Outcome::Change { id, version, patch: Box::new(patch) }
        }
        RowKind::Unchanged => Outcome::Unchanged(serde_json::from_str(&row.body).map_err(|_| wrong())?),
        RowKind::Faulty => {
            Outcome::Faulty(serde_json::from_str::<Vec<Fault>>(&row.body).map_err(|_| wrong())?)
        }
    })
}

/// The operations of a plan, and the line of the file behind each.
pub(super) fn operations(rows: &[StagedRow]) -> Result<(Vec<u64>, Vec<ComponentOperation>), Failure> {
    let (mut lines, mut operations) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for row in rows {
        if let Some(operation) = outcome(row)?.operation() {
            debug_assert!(
                !matches!(&operation, ComponentOperation::Update { expected: VersionPrecondition::Any, .. }),
                "an import never overwrites what it has not seen"
            );
            lines.push(row.line);
            operations.push(operation);
        }
    }
    Ok((lines, operations))
}
