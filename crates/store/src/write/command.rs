//! Preparation of component writes: everything that does not depend on rows is done here, on the caller's
//! task.

use std::sync::Arc;

use inventory_core::{Component, ComponentCreated, ComponentId, ComponentPatch, Event, ValidationErrors};

use super::{
    context::ChangeContext,
    operation::{ComponentOperation, Idempotency, Progress, VersionPrecondition},
};

/// A prepared write of components.
#[derive(Debug)]
pub(crate) struct PreparedWrite {
    pub(crate) commands: Vec<ComponentCommand>,
    pub(crate) context: ChangeContext,
    pub(crate) idempotency: Option<Idempotency>,
    pub(crate) progress: Progress,
}

/// One prepared operation of a write.
#[derive(Debug)]
pub(crate) enum ComponentCommand {
    Create {
        component: Arc<Component>,
        /// Its event as JSON, if that could be serialised in advance.
        data: Option<String>,
    },
    Update {
        id: ComponentId,
        expected: VersionPrecondition,
        patch: Box<ComponentPatch>,
    },
    Delete {
        id: ComponentId,
        expected: VersionPrecondition,
    },
    /// An operation that cannot be carried out, independent of the rows.
    Invalid(ValidationErrors),
}

impl ComponentCommand {
    pub(crate) fn new(operation: ComponentOperation, context: &ChangeContext) -> Self {
        match operation {
            ComponentOperation::Create(new) => {
                match new.create(ComponentId::generate(), context.at, context.actor.clone()) {
                    Ok(component) => {
                        let component = Arc::new(component);
                        let event = Event::from(ComponentCreated { component: Arc::clone(&component) });
                        let data = event.data().ok().map(|data| Box::<str>::from(data).into_string());
                        Self::Create { component, data }
                    }
                    Err(invalid) => Self::Invalid(invalid),
                }
            }
            ComponentOperation::Update { id, expected, patch } => Self::Update { id, expected, patch },
            ComponentOperation::Delete { id, expected } => Self::Delete { id, expected },
        }
    }

    /// The row that it changes, if there is one.
    pub(crate) fn row(&self) -> Option<ComponentId> {
        match self {
            Self::Update { id, .. } | Self::Delete { id, .. } => Some(*id),
            Self::Create { .. } | Self::Invalid(_) => None,
        }
    }

    /// Whether it needs a savepoint. A new sku can violate the unique index, and on PostgreSQL the error
    /// aborts the transaction back to the last savepoint. An insert has an `ON CONFLICT` clause, so it never
    /// fails.
    pub(crate) fn stands_alone(&self) -> bool {
        match self {
            Self::Update { patch, .. } => matches!(patch.sku, Some(Some(_))),
            Self::Create { .. } | Self::Delete { .. } | Self::Invalid(_) => false,
        }
    }
}
