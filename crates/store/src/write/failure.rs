//! Why a write was not carried out.

use std::convert::Infallible;

use sea_orm::DbErr;

use crate::{
    db::error_class::{is_away, with_code},
    error::ReadError,
};

/// Why a write was not carried out. `C` is the type of its conflicts.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WriteError<C> {
    /// It conflicts with the current rows. Nothing was changed.
    #[error("{0}")]
    Conflict(C),
    /// It failed for another reason.
    #[error(transparent)]
    Failure(#[from] WriteFailure),
}

impl<C> WriteError<C> {
    /// Converts the conflict with `convert`.
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

/// Why a write failed, independent of the rows.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteFailure {
    /// The idempotency key was used for another request. Nothing was changed.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The queue of writes is full, or the service is stopping. Nothing was changed.
    #[error("the service cannot accept this write now")]
    Busy,
    /// The database does not answer. Nothing was changed.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// The database refused the write for an unknown reason, with the error code of the database if there is
    /// one; or the service itself failed. Nothing was changed.
    #[error("the write failed: {0}")]
    Internal(String),
    /// The connection was lost during the commit and the log cannot be asked either: the write may have been
    /// carried out or not.
    #[error(
        "the connection to the database was lost during the commit, so the write may have been carried out or not"
    )]
    OutcomeUnknown,
}

impl From<ReadError> for WriteFailure {
    /// For a write that needs the result of a read.
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(text) => Self::Unavailable(text),
            error => Self::Internal(error.to_string()),
        }
    }
}

impl<C> From<ReadError> for WriteError<C> {
    fn from(error: ReadError) -> Self {
        Self::Failure(error.into())
    }
}

impl From<&DbErr> for WriteFailure {
    /// For a write of which nothing is in the database.
    fn from(error: &DbErr) -> Self {
        let text = with_code(error);
        if is_away(error) { Self::Unavailable(text) } else { Self::Internal(text) }
    }
}
