//! What can be asked of the writer, and what it answers.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use inventory_core::{Actor, Component, ComponentId, ComponentPatch, Invalid, NewComponent, Sku};
use serde::{Deserialize, Serialize};

use crate::access::{AccessDone, AccessOperation, AccessRefusal};

/// Operations that are carried out together or not at all.
#[derive(Debug, Clone)]
pub struct Write {
    /// The operations, in order.
    pub operations: Vec<Operation>,
    /// Who asks.
    pub actor: Actor,
    /// The W3C `traceparent` of the request.
    pub trace: Option<Arc<str>>,
    /// Makes a repetition of this write answer as the first one did.
    pub idempotency: Option<Idempotency>,
    /// Hears how far it has come.
    pub progress: Progress,
}

/// How many operations of a write have been carried out in its transaction, which is yet to be committed. Clones
/// hear the same.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<AtomicUsize>);

impl Progress {
    /// How many.
    pub fn operations(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Tells how many. A transaction that is tried again begins anew.
    pub(crate) fn tell(&self, operations: usize) {
        self.0.store(operations, Ordering::Relaxed);
    }
}

impl Write {
    /// One operation of someone.
    pub fn one(operation: Operation, actor: Actor) -> Self {
        Self::all(vec![operation], actor)
    }

    /// Several operations of someone, all or none.
    pub fn all(operations: Vec<Operation>, actor: Actor) -> Self {
        Self { operations, actor, trace: None, idempotency: None, progress: Progress::default() }
    }
}

/// One change that is asked for.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Create a component.
    Create(Box<NewComponent>),
    /// Change a component.
    Update {
        /// Which.
        id: ComponentId,
        /// What its version must be.
        expected: Expected,
        /// The change.
        patch: Box<ComponentPatch>,
    },
    /// Delete a component.
    Delete {
        /// Which.
        id: ComponentId,
        /// What its version must be.
        expected: Expected,
    },
    /// Change who may come in.
    Access(Access),
}

/// A change of users, sessions or tokens. It is made by the methods of [`crate::Store`] that are about them.
#[derive(Debug, Clone)]
pub struct Access(pub(crate) AccessOperation);

impl Operation {
    pub(crate) fn access(operation: AccessOperation) -> Self {
        Self::Access(Access(operation))
    }
}

/// The version that a row must have for a change to be carried out: what `If-Match` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is now.
    Any,
    /// One of these.
    OneOf(Vec<u64>),
}

impl Expected {
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
pub enum Done {
    /// The component as created.
    Created(Arc<Component>),
    /// The component in its new version.
    Updated(Arc<Component>),
    /// The component, which was already as asked: no new version, no event.
    Unchanged(Arc<Component>),
    /// The component as it last was.
    Deleted(Arc<Component>),
    /// Who may come in was changed.
    Access(AccessDone),
}

/// What a write did: one result an operation, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The results.
    pub results: Vec<Done>,
    /// Whether this is the answer to an earlier write with the same idempotency key.
    pub replayed: bool,
}

/// Why an operation cannot be carried out as things are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is no such component.
    #[error("there is no component {0}")]
    NoComponent(ComponentId),
    /// The component has another version than expected. This is what it is now.
    #[error("component {} is at version {}, which is not the one that was expected", .0.id, .0.version)]
    Stale(Arc<Component>),
    /// Another component has this sku.
    #[error("another component has the sku {:?}", .0.as_str())]
    SkuTaken(Sku),
    /// The patch does not fit the component as it is.
    #[error("{0}")]
    Invalid(Invalid),
    /// The change of who may come in cannot be carried out.
    #[error("{0}")]
    Access(AccessRefusal),
}

/// An operation that was refused. Nothing of its write was carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// Which operation of the write, from 0.
    pub index: usize,
    /// Why.
    pub reason: Reason,
}

/// Why a write was not carried out.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Operations that cannot be carried out as things are: at least one, in order. Nothing was changed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Refused(Vec<Refusal>),
    /// The idempotency key was used for another request.
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
    Failed(String),
    /// The connection was lost during the commit and the log cannot be asked either: the write may have been
    /// carried out or not.
    #[error(
        "the connection to the database was lost during the commit, so the write may have been carried out or not"
    )]
    Unknown,
}
