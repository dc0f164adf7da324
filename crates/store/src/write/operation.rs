//! Changes of components that can be asked for, and their results.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use inventory_core::{Actor, Component, ComponentId, ComponentPatch, Invalid, NewComponent, Sku};
use serde::{Deserialize, Serialize};

/// Who asks for a write, and how.
#[derive(Debug, Clone)]
pub struct WriteContext {
    /// Who asks.
    pub actor: Actor,
    /// The W3C `traceparent` of the request.
    pub trace: Option<Arc<str>>,
    /// Makes a repetition of this write return the result of the first.
    pub idempotency: Option<Idempotency>,
    /// Follows how far the write has come.
    pub progress: Progress,
}

impl WriteContext {
    /// A write that somebody asks for outside of any request.
    pub fn new(actor: Actor) -> Self {
        Self { actor, trace: None, idempotency: None, progress: Progress::default() }
    }
}

/// How many operations of a write have been carried out in its transaction, before the commit. Clones share it.
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

/// A change of a component that is asked for.
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
    /// Whatever it is now.
    Any,
    /// One of these.
    OneOf(Vec<u64>),
}

impl VersionPrecondition {
    /// Exactly this version.
    pub fn version(version: u64) -> Self {
        Self::OneOf(vec![version])
    }

    /// Whether a row of this version will do.
    pub fn admits(&self, version: u64) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }
}

/// The name under which a write's answer is kept for [`Idempotency::KEPT_FOR`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Whose key it is, so that two clients cannot meet in one key.
    pub scope: String,
    /// The client's `Idempotency-Key`.
    pub key: String,
    /// The SHA-256 of everything that makes the request what it is.
    pub fingerprint: [u8; 32],
}

impl Idempotency {
    /// How long an answer is kept.
    pub const KEPT_FOR: std::time::Duration = std::time::Duration::from_hours(24);
}

/// What an operation did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationResult {
    /// The component as created.
    Created(Arc<Component>),
    /// The component in its new version.
    Updated(Arc<Component>),
    /// The component, which was already as asked: no new version, no event.
    Unchanged(Arc<Component>),
    /// The component as it last was.
    Deleted(Arc<Component>),
}

impl OperationResult {
    /// The component as it is now, or as it last was.
    pub fn into_component(self) -> Arc<Component> {
        match self {
            Self::Created(component)
            | Self::Updated(component)
            | Self::Unchanged(component)
            | Self::Deleted(component) => component,
        }
    }
}

/// What a write did.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteResult<T> {
    /// The result of its operation, or of each of its operations in order.
    pub result: T,
    /// Whether this is the result of an earlier write with the same idempotency key.
    pub replayed: bool,
}

/// Why an operation cannot be carried out as things are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Conflict {
    /// There is no such component.
    #[error("there is no component {0}")]
    NoComponent(ComponentId),
    /// The component has another version than expected. This is what it is now.
    #[error("component {} is at version {}, which is not the one that was expected", .0.id, .0.version)]
    Stale(Arc<Component>),
    /// Another component has this sku.
    #[error("another component has the sku {:?}", .0.as_str())]
    SkuTaken(Sku),
    /// The component would not be valid.
    #[error("{0}")]
    Invalid(Invalid),
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

/// Why a write was not carried out. `C` says why it cannot be as things are.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WriteError<C> {
    /// It cannot be carried out as things are. Nothing was changed.
    #[error("{0}")]
    Conflict(C),
    /// It failed for another reason.
    #[error(transparent)]
    Failure(#[from] WriteFailure),
}

impl<C> WriteError<C> {
    /// The same error with what `convert` makes of a conflict.
    pub(crate) fn map_conflict<D>(self, convert: impl FnOnce(C) -> WriteError<D>) -> WriteError<D> {
        match self {
            Self::Conflict(conflict) => convert(conflict),
            Self::Failure(failure) => WriteError::Failure(failure),
        }
    }
}

impl From<WriteError<Infallible>> for WriteFailure {
    fn from(error: WriteError<Infallible>) -> Self {
        match error {
            WriteError::Conflict(never) => match never {},
            WriteError::Failure(failure) => failure,
        }
    }
}

/// Why a write failed, whatever the rows are.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteFailure {
    /// The idempotency key was used for another request. Nothing was changed.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// More writes are waiting than there is room for, or the service is stopping. Nothing was changed.
    #[error("the service cannot take this write now")]
    Busy,
    /// The database does not answer. Nothing was changed.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// The database refused the write for a reason that the service does not know, with the code of the database where
    /// there is one; or the service failed itself. Nothing was changed.
    #[error("the write failed: {0}")]
    Internal(String),
    /// The connection was lost during the commit and the log cannot be asked either: the write may have been
    /// carried out or not.
    #[error(
        "the connection to the database was lost during the commit, so the write may have been carried out or not"
    )]
    OutcomeUnknown,
}

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
