//! From rows, and the components that they are about, to the operations that make the one like the other.

use std::collections::{HashMap, HashSet};

use inventory_core::{
    Actor, Component, ComponentId, ComponentPatch, CustomFieldsPatch, Field, FieldError, NewComponent, Sku,
    ValidationErrors,
};
use inventory_store::{ComponentOperation, VersionPrecondition};
use time::OffsetDateTime;

use crate::{
    fault::{Fault, shown},
    mapping::Layout,
    table::{FaultyRow, Row, Table, invalid_faults, place_of},
};

/// What a file would do to the components that there are.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// What each row of the file is to do, in the order of the file.
    pub rows: Vec<Planned>,
}

/// What one row is to do.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The line of the file on which the row begins, from 1.
    pub line: u64,
    /// What becomes of it.
    pub outcome: Outcome,
}

/// What becomes of a row.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It creates a component.
    Create(Box<NewComponent>),
    /// It changes a component.
    Change {
        /// Which.
        id: ComponentId,
        /// The version that was compared.
        version: u64,
        /// What is set.
        patch: Box<ComponentPatch>,
    },
    /// The component is already as the row says.
    Unchanged(ComponentId),
    /// It cannot be carried out, for at least one reason.
    Faulty(Vec<Fault>),
}

impl Outcome {
    /// The change that it is, if it is one.
    pub fn operation(&self) -> Option<ComponentOperation> {
        match self {
            Self::Create(component) => Some(ComponentOperation::Create(component.clone())),
            Self::Change { id, version, patch } => {
                let expected = VersionPrecondition::version(*version);
                Some(ComponentOperation::Update { id: *id, expected, patch: patch.clone() })
            }
            Self::Unchanged(_) | Self::Faulty(_) => None,
        }
    }
}

/// Not every record of the file has exactly one row in the plan. Nothing may be written then.
#[derive(Debug, thiserror::Error)]
#[error("the file has {records} records, of which {planned} were planned; this is a defect of this program")]
pub struct RecordsLost {
    /// The number of records in the file.
    pub records: usize,
    /// The number of rows that were planned.
    pub planned: usize,
}

/// The components that the rows may be about.
struct Existing<'a> {
    by_id: HashMap<ComponentId, &'a Component>,
    by_sku: HashMap<&'a Sku, &'a Component>,
    /// The ids that rows give.
    named: HashSet<ComponentId>,
}

impl Plan {
    /// Plans the rows of a file over the components that have their ids and their skus.
    pub fn new(table: &Table, components: &[Component]) -> Result<Self, RecordsLost> {
        let Table { layout, rows, faulty, records } = table;
        let existing = Existing {
            by_id: components.iter().map(|component| (component.id, component)).collect(),
            by_sku: components
                .iter()
                .filter_map(|component| Some((component.sku.as_ref()?, component)))
                .collect(),
            named: rows.iter().filter_map(|row| row.id).collect(),
        };
        let mut taken = HashMap::new();
        let mut planned: Vec<(usize, Planned)> = Vec::with_capacity(*records);
        for row in rows {
            let outcome = match existing.find(row) {
                Some(component) => match taken.insert(component.id, row.line) {
                    Some(earlier) => Err(twice(row, component, earlier, layout)),
                    None => match existing.holder_of_sku(row, component) {
                        Some(holder) => Err(sku_taken(row, holder, layout)),
                        None => change(row, component, layout),
                    },
                },
                None => create(row, layout),
            };
            let outcome = outcome.unwrap_or_else(Outcome::Faulty);
            planned.push((row.index, Planned { line: row.line, outcome }));
        }
        planned.extend(faulty.iter().map(|FaultyRow { index, line, faults }| {
            let mut faults = faults.clone();
            faults.sort();
            faults.dedup();
            (*index, Planned { line: *line, outcome: Outcome::Faulty(faults) })
        }));
        planned.sort_by_key(|(index, _)| *index);
        if !planned.iter().map(|(index, _)| *index).eq(0..*records) {
            return Err(RecordsLost { records: *records, planned: planned.len() });
        }
        Ok(Self { rows: planned.into_iter().map(|(_, row)| row).collect() })
    }

    /// How many rows come to something.
    pub fn count(&self, what: impl Fn(&Outcome) -> bool) -> usize {
        self.rows.iter().filter(|row| what(&row.outcome)).count()
    }

    /// Everything that is wrong, in the order of the file.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.rows.iter().flat_map(|row| match &row.outcome {
            Outcome::Faulty(faults) => &faults[..],
            _ => &[],
        })
    }

    /// What is to be carried out, and the line of the file behind each operation. Rows that are faulty are left
    /// out.
    pub fn operations(&self) -> (Vec<u64>, Vec<ComponentOperation>) {
        let rows = self.rows.iter();
        rows.filter_map(|row| Some((row.line, row.outcome.operation()?))).unzip()
    }
}

fn change(row: &Row, component: &Component, layout: &Layout) -> Result<Outcome, Vec<Fault>> {
    let patch = patch_of(row, component);
    // Only whether it changes anything is of interest, so time and actor do not matter.
    let changed = component
        .patched(patch.clone(), OffsetDateTime::UNIX_EPOCH, Actor::import())
        .map_err(|invalid| refused(invalid, row, layout))?;
    Ok(match changed {
        None => Outcome::Unchanged(component.id),
        Some(_) => Outcome::Change { id: component.id, version: component.version, patch: Box::new(patch) },
    })
}

fn create(row: &Row, layout: &Layout) -> Result<Outcome, Vec<Fault>> {
    if row.sku.is_none() {
        return Err(vec![Fault {
            line: row.line,
            place: place_of(Field::Sku.as_str(), layout),
            expected: "must not be empty unless a component has the id of the row".to_owned(),
            found: shown(""),
        }]);
    }
    let component = serde_json::to_value(&row.patch)
        .map_err(|error| FieldError { pointer: String::new(), detail: error.to_string() })
        .map_err(|error| ValidationErrors(vec![error]))
        .and_then(NewComponent::from_json)
        .map_err(|invalid| refused(invalid, row, layout))?;
    Ok(Outcome::Create(Box::new(component)))
}

impl<'a> Existing<'a> {
    /// The component that a row is about: the one it names by id, or else the one it names by sku.
    fn find(&self, row: &Row) -> Option<&'a Component> {
        let by_id = row.id.and_then(|id| self.by_id.get(&id));
        by_id.or_else(|| self.by_sku.get(row.sku.as_ref()?)).copied()
    }

    /// The other component that has the sku which a row means to give to its own. One that the file names may
    /// be about to give it up, which is for the store to see.
    fn holder_of_sku(&self, row: &Row, component: &Component) -> Option<&'a Component> {
        let holder = self.by_sku.get(row.sku.as_ref()?).copied()?;
        (holder.id != component.id && !self.named.contains(&holder.id)).then_some(holder)
    }
}

/// The patch of a row for the component it is about. Where the file gives all custom fields, those that it does
/// not give are removed.
fn patch_of(row: &Row, component: &Component) -> ComponentPatch {
    let mut patch = row.patch.clone();
    if row.custom_fields_whole {
        let mut fields: CustomFieldsPatch = patch.custom_fields.take().flatten().unwrap_or_default();
        for (name, _) in component.custom_fields.iter() {
            if !fields.0.contains_key(name) {
                fields.0.insert(name.clone(), None);
            }
        }
        patch.custom_fields = Some(Some(fields));
    }
    patch
}

fn refused(invalid: ValidationErrors, row: &Row, layout: &Layout) -> Vec<Fault> {
    invalid_faults(invalid, row.line, layout, |_| None)
}

fn twice(row: &Row, component: &Component, earlier: u64, layout: &Layout) -> Vec<Fault> {
    let place = if row.id == Some(component.id) { "id" } else { Field::Sku.as_str() };
    vec![Fault {
        line: row.line,
        place: place_of(place, layout),
        expected: "must not name the component of an earlier row".to_owned(),
        found: format!("component {}, which line {earlier} names too", component.id),
    }]
}

fn sku_taken(row: &Row, holder: &Component, layout: &Layout) -> Vec<Fault> {
    let sku = row.sku.as_ref().map_or("", Sku::as_str);
    vec![Fault {
        line: row.line,
        place: place_of(Field::Sku.as_str(), layout),
        expected: "must be unique".to_owned(),
        found: format!("{}, which component {} has", shown(sku), holder.id),
    }]
}
