//! Operations on components, and their results.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use inventory_core::{Actor, Component, ComponentId, ComponentPatch, NewComponent, Sku, ValidationErrors};
use serde::{Deserialize, Serialize};

/// The options of a write: its actor, trace, idempotency key and progress.
#[derive(Debug, Clone)]
pub struct WriteContext {
    /// The actor.
    pub actor: Actor,
    /// The W3C `traceparent` of the request.
    pub trace: Option<Arc<str>>,
    /// Makes a repetition of this write return the result of the first.
    pub idempotency: Option<Idempotency>,
    /// Reports the progress of the write.
    pub progress: Progress,
}

impl WriteContext {
    /// Options for a write outside of any request.
    pub fn new(actor: Actor) -> Self {
        Self { actor, trace: None, idempotency: None, progress: Progress::default() }
    }
}

/// The number of operations of a write that its transaction has carried out so far. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicUsize>);

impl Progress {
    /// The number of operations.
    pub fn operations(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets the number. It starts again at 0 when the transaction is retried.
    pub(crate) fn set(&self, operations: usize) {
        self.0.store(operations, Ordering::Relaxed);
    }
}

/// An operation on a component.
#[derive(Debug, Clone)]
pub enum ComponentOperation {
    /// Create a component.
    Create(Box<NewComponent>),
    /// Change a component.
    Update {
        /// Which.
        id: ComponentId,
        /// What its version must be.
        expected: VersionPrecondition,
        /// The change.
        patch: Box<ComponentPatch>,
    },
    /// Delete a component.
    Delete {
        /// Which.
        id: ComponentId,
        /// What its version must be.
        expected: VersionPrecondition,
    },
}

/// The version that a row must have for a change to be carried out: what `If-Match` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionPrecondition {
    /// Any version.
    Any,
    /// One of these.
    OneOf(Vec<u64>),
}

impl VersionPrecondition {
    /// Exactly this version.
    pub fn version(version: u64) -> Self {
        Self::OneOf(vec![version])
    }

    /// Whether a row of this version meets the precondition.
    pub fn admits(&self, version: u64) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }
}

/// The key under which a write's result is stored for [`Idempotency::KEPT_FOR`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The owner of the key, so that keys of different clients cannot collide.
    pub scope: String,
    /// The client's `Idempotency-Key`.
    pub key: String,
    /// The SHA-256 fingerprint of the request.
    pub fingerprint: [u8; 32],
}

impl Idempotency {
    /// How long a result is stored.
    pub const KEPT_FOR: std::time::Duration = std::time::Duration::from_hours(24);
}

/// The result of an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationResult {
    /// The component as created.
    Created(Arc<Component>),
    /// The component in its new version.
    Updated(Arc<Component>),
    /// The unchanged component: no new version and no event.
    Unchanged(Arc<Component>),
    /// The last state of the deleted component.
    Deleted(Arc<Component>),
}

impl OperationResult {
    /// The component after the operation; of a deleted one, its last state.
    pub fn into_component(self) -> Arc<Component> {
        match self {
            Self::Created(component)
            | Self::Updated(component)
            | Self::Unchanged(component)
            | Self::Deleted(component) => component,
        }
    }
}

/// The result of a write.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteResult<T> {
    /// The result of its operation, or of each of its operations in order.
    pub result: T,
    /// Whether this is the result of an earlier write with the same idempotency key.
    pub replayed: bool,
}

/// A conflict between an operation and the current rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Conflict {
    /// There is no such component.
    #[error("there is no component {0}")]
    NoComponent(ComponentId),
    /// The component has another version than expected. This is its current state.
    #[error("component {} is at version {}, which is not the one that was expected", .0.id, .0.version)]
    Stale(Arc<Component>),
    /// Another component has this sku.
    #[error("another component has the sku {:?}", .0.as_str())]
    SkuTaken(Sku),
    /// The component would not be valid.
    #[error("{0}")]
    Invalid(ValidationErrors),
}

/// An operation that was refused. Nothing of its write was carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{conflict}")]
pub struct OperationError {
    /// Which operation of the write, from 0.
    pub index: usize,
    /// Why.
    // The name under which outcomes are stored.
    #[serde(rename = "reason")]
    pub conflict: Conflict,
}

/// The operations of a write that were refused: at least one, in order.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct OperationErrors(pub Vec<OperationError>);

#[cfg(test)]
mod tests {
    use super::*;

    /// Outcomes are stored for 24 hours under their idempotency keys, also while the service is updated.
    #[test]
    fn the_form_of_a_stored_outcome_is_locked() {
        let id = ComponentId("0197f5c1-5f9e-7c6b-8a3e-0123456789ab".parse().unwrap());
        let error = OperationError { index: 1, conflict: Conflict::NoComponent(id) };
        let outcome: Result<Vec<OperationResult>, Vec<OperationError>> = Err(vec![error]);
        let stored =
            r#"{"Err":[{"index":1,"reason":{"no_component":"0197f5c1-5f9e-7c6b-8a3e-0123456789ab"}}]}"#;
        assert_eq!(serde_json::to_string(&outcome).unwrap(), stored);
        assert_eq!(
            serde_json::from_str::<Result<Vec<OperationResult>, Vec<OperationError>>>(stored).unwrap(),
            outcome
        );
    }
}
