//! From rows, and the components that they are about, to the operations that make the one like the other.

use std::collections::{HashMap, HashSet};

use inventory_core::{
    Actor, Component, ComponentId, ComponentPatch, CustomFieldsPatch, Field, FieldError, Invalid,
    NewComponent, Sku,
};
use inventory_store::{Expected, Operation};
use time::OffsetDateTime;

use super::{
    fault::{Fault, shown},
    mapping::Layout,
    table::{Row, invalid_faults, place_of},
};

/// What an import does, or would do.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// What is to be carried out.
    pub(crate) operations: Vec<Operation>,
    /// The line of the file behind each operation.
    pub(crate) lines: Vec<u64>,
    pub(crate) created: usize,
    pub(crate) updated: usize,
    pub(crate) unchanged: usize,
    /// Why rows cannot be carried out.
    pub(crate) faults: Vec<Fault>,
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
    pub(crate) fn new(rows: &[Row], components: &[Component], layout: &Layout) -> Self {
        let existing = Existing {
            by_id: components.iter().map(|component| (component.id, component)).collect(),
            by_sku: components
                .iter()
                .filter_map(|component| Some((component.sku.as_ref()?, component)))
                .collect(),
            named: rows.iter().filter_map(|row| row.id).collect(),
        };
        let mut plan = Self::default();
        let mut taken = HashMap::new();
        for row in rows {
            let outcome = match existing.find(row) {
                Some(component) => match taken.insert(component.id, row.line) {
                    Some(earlier) => Err(twice(row, component, earlier, layout)),
                    None => match existing.holder_of_sku(row, component) {
                        Some(holder) => Err(sku_taken(row, holder, layout)),
                        None => plan.update(row, component, layout),
                    },
                },
                None => plan.create(row, layout),
            };
            if let Err(faults) = outcome {
                plan.faults.extend(faults);
            }
        }
        plan
    }

    fn update(&mut self, row: &Row, component: &Component, layout: &Layout) -> Result<(), Vec<Fault>> {
        let patch = patch_of(row, component);
        // Only whether it changes anything is of interest, so time and actor do not matter.
        let changed = component
            .patched(patch.clone(), OffsetDateTime::UNIX_EPOCH, Actor::import())
            .map_err(|invalid| refused(invalid, row, layout))?;
        if changed.is_none() {
            self.unchanged += 1;
            return Ok(());
        }
        self.updated += 1;
        let expected = Expected::version(component.version);
        self.push(row, Operation::Update { id: component.id, expected, patch: Box::new(patch) });
        Ok(())
    }

    fn create(&mut self, row: &Row, layout: &Layout) -> Result<(), Vec<Fault>> {
        if row.sku.is_none() {
            return Err(vec![Fault {
                line: row.line,
                place: place_of(Field::Sku.as_str(), layout),
                expected: "must not be empty where no component has the id of the row".to_owned(),
                found: shown(""),
            }]);
        }
        let component = serde_json::to_value(&row.patch)
            .map_err(|error| FieldError { pointer: String::new(), detail: error.to_string() })
            .map_err(|error| Invalid(vec![error]))
            .and_then(NewComponent::from_json)
            .map_err(|invalid| refused(invalid, row, layout))?;
        self.created += 1;
        self.push(row, Operation::Create(Box::new(component)));
        Ok(())
    }

    fn push(&mut self, row: &Row, operation: Operation) {
        self.operations.push(operation);
        self.lines.push(row.line);
    }
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
        for name in component.custom_fields.0.keys() {
            if !fields.0.contains_key(name) {
                fields.0.insert(name.clone(), None);
            }
        }
        patch.custom_fields = Some(Some(fields));
    }
    patch
}

fn refused(invalid: Invalid, row: &Row, layout: &Layout) -> Vec<Fault> {
    invalid_faults(invalid, row.line, layout, |_| None)
}

fn twice(row: &Row, component: &Component, earlier: u64, layout: &Layout) -> Vec<Fault> {
    let place = if row.id == Some(component.id) { "id" } else { Field::Sku.as_str() };
    vec![Fault {
        line: row.line,
        place: place_of(place, layout),
        expected: "must name another component than every row before".to_owned(),
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
