//! The write path: the only way to change rows.
//!
//! Each change is made by one writer task, in a transaction together with its events.

mod command;
mod context;
mod executor;
mod failure;
mod idempotency;
mod job;
mod operation;
mod queue;
mod writer;

pub use failure::{WriteError, WriteFailure};
pub use operation::{
    ComponentOperation, Conflict, Idempotency, OperationError, OperationErrors, OperationResult, Progress,
    VersionPrecondition, WriteContext, WriteResult,
};

pub(crate) use command::{ComponentCommand, PreparedWrite};
pub(crate) use context::ChangeContext;
pub(crate) use idempotency::purge as purge_idempotency_keys;
pub(crate) use job::{Executed, ResourceCommand, submit};
pub(crate) use queue::{Command, ComponentAnswer, ComponentRequest, WriteQueue, write_queue};
pub(crate) use writer::{Figures, STALL_LIMIT, Writer};
