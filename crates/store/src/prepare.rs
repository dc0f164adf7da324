//! A write made ready for the writer: everything that needs no row is done here, on the caller's task.

use std::sync::Arc;

use inventory_core::{
    Actor, Clock, Component, ComponentCreated, ComponentId, ComponentPatch, Event, Invalid,
};
use time::OffsetDateTime;

use crate::{
    access::AccessOperation,
    write::{Access, Expected, Idempotency, Operation, Progress, Write},
};

/// A write whose new components are made.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) steps: Vec<Step>,
    pub(crate) author: Author,
    pub(crate) idempotency: Option<Idempotency>,
    pub(crate) progress: Progress,
}

/// Who makes a change, in which request, and when.
#[derive(Debug, Clone)]
pub(crate) struct Author {
    pub(crate) actor: Actor,
    pub(crate) trace: Option<Arc<str>>,
    pub(crate) at: OffsetDateTime,
    /// The least version that a changed row may get.
    pub(crate) version_floor: u64,
}

/// One operation of a write, ready.
#[derive(Debug)]
pub(crate) enum Step {
    Create {
        component: Arc<Component>,
        /// Its event as JSON, where that could be written.
        data: Option<String>,
    },
    Update {
        id: ComponentId,
        expected: Expected,
        patch: Box<ComponentPatch>,
    },
    Delete {
        id: ComponentId,
        expected: Expected,
    },
    Access(Box<AccessOperation>),
    /// An operation that cannot be carried out, whatever the rows are.
    Invalid(Invalid),
}

impl Prepared {
    pub(crate) fn new(write: Write, clock: &Clock, version_floor: u64) -> Self {
        let Write { operations, actor, trace, idempotency, progress } = write;
        let author = Author { actor, trace, at: clock.now(), version_floor };
        let steps = operations.into_iter().map(|operation| Step::new(operation, &author)).collect();
        Self { steps, author, idempotency, progress }
    }
}

impl Step {
    fn new(operation: Operation, author: &Author) -> Self {
        match operation {
            Operation::Create(new) => {
                match new.create(ComponentId::generate(), author.at, author.actor.clone()) {
                    Ok(component) => {
                        let component = Arc::new(component);
                        let event = Event::from(ComponentCreated { component: Arc::clone(&component) });
                        let data = event.data().ok().map(|data| Box::<str>::from(data).into_string());
                        Self::Create { component, data }
                    }
                    Err(invalid) => Self::Invalid(invalid),
                }
            }
            Operation::Update { id, expected, patch } => Self::Update { id, expected, patch },
            Operation::Delete { id, expected } => Self::Delete { id, expected },
            Operation::Access(Access(operation)) => Self::Access(Box::new(operation)),
        }
    }

    /// The row that it changes, if there is one.
    pub(crate) fn row(&self) -> Option<ComponentId> {
        match self {
            Self::Update { id, .. } | Self::Delete { id, .. } => Some(*id),
            Self::Create { .. } | Self::Access(_) | Self::Invalid(_) => None,
        }
    }

    /// Whether it may have to be undone alone, and so needs a savepoint. A unique index can refuse another sku
    /// with an error, which on PostgreSQL spoils the transaction up to the last savepoint; an insert says what to
    /// do on a conflict and so never fails. A change of who may come in is several statements.
    pub(crate) fn stands_alone(&self) -> bool {
        match self {
            Self::Update { patch, .. } => matches!(patch.sku, Some(Some(_))),
            Self::Access(_) => true,
            Self::Create { .. } | Self::Delete { .. } | Self::Invalid(_) => false,
        }
    }
}
