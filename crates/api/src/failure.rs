//! What the store refuses or cannot do, as problems: the one place where they are translated.

use std::sync::Arc;

use inventory_core::{Component, Invalid};
use inventory_store::{Conflict, OperationError, OperationErrors, ReadError, WriteError, WriteFailure};

use crate::{
    kind::Kind,
    problem::{ErrorItem, Problem},
};

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(_) => {
                Self::unexpected(Kind::Unavailable, "the database does not answer", &error)
            }
            ReadError::Expired => Self::new(
                Kind::CursorExpired,
                "too much has changed since the first page of this walk was read; begin again at the first page",
            ),
            // A row that cannot be read, or a kind of failure that is not known here yet.
            _ => Self::unexpected(Kind::Internal, "the service cannot read what is stored", &error),
        }
    }
}

impl From<WriteFailure> for Problem {
    fn from(failure: WriteFailure) -> Self {
        match failure {
            WriteFailure::KeyReused => Self::new(
                Kind::KeyReused,
                "another request was made with this Idempotency-Key; choose a new key for a new request",
            ),
            WriteFailure::Busy => Self::new(Kind::Busy, "the service cannot take this write now"),
            WriteFailure::Unavailable(_) => Self::unexpected(
                Kind::Unavailable,
                "the database does not answer; nothing was changed",
                &failure,
            ),
            WriteFailure::OutcomeUnknown => Self::unexpected(
                Kind::OutcomeUnknown,
                "the connection to the database was lost during the commit, so the write may have been \
                 carried out or not",
                &failure,
            ),
            _ => Self::unexpected(Kind::Internal, "the write failed", &failure),
        }
    }
}

impl From<WriteError<Conflict>> for Problem {
    fn from(error: WriteError<Conflict>) -> Self {
        match error {
            WriteError::Conflict(conflict) => Refused::from(conflict).into(),
            WriteError::Failure(failure) => failure.into(),
        }
    }
}

/// The failure of a write of many operations: every refusal, with a pointer to its operation. `content` names
/// the member of an operation that holds its component or patch.
pub(crate) fn of_batch(
    error: WriteError<OperationErrors>,
    content: impl Fn(usize) -> &'static str,
) -> Problem {
    let errors = match error {
        WriteError::Conflict(OperationErrors(errors)) => errors,
        WriteError::Failure(failure) => return failure.into(),
    };
    let detail = match errors.as_slice() {
        [OperationError { index, conflict }] => {
            format!("operation {index} cannot be carried out: {conflict}")
        }
        many => format!("{} operations cannot be carried out", many.len()),
    };
    let items = errors.into_iter().flat_map(|OperationError { index, conflict }| {
        let Refused { kind, detail, members, current } = Refused::from(conflict);
        let item = move |pointer: String, detail: String| ErrorItem {
            r#type: Some(kind.reference()),
            current: current.clone(),
            ..ErrorItem::member(pointer, detail)
        };
        let operation = format!("/operations/{index}");
        let content = content(index);
        match members {
            Members::None => vec![item(operation, detail)],
            Members::Sku => vec![item(format!("{operation}/{content}/sku"), detail)],
            Members::Of(Invalid(errors)) => errors
                .into_iter()
                .map(|error| item(format!("{operation}/{content}{}", error.pointer), error.detail))
                .collect(),
        }
    });
    Problem::new(Kind::BatchRefused, detail).with_errors(items.collect())
}

/// Why one operation was refused, before it is known whether it was alone.
struct Refused {
    kind: Kind,
    detail: String,
    members: Members,
    current: Option<Arc<Component>>,
}

/// The members of the operation's object that are at fault.
enum Members {
    None,
    Sku,
    Of(Invalid),
}

impl From<Conflict> for Refused {
    fn from(conflict: Conflict) -> Self {
        let detail = conflict.to_string();
        let (kind, members, current) = match conflict {
            Conflict::NoComponent(_) => (Kind::NoComponent, Members::None, None),
            Conflict::Stale(current) => (Kind::Stale, Members::None, Some(current)),
            Conflict::SkuTaken(_) => (Kind::SkuTaken, Members::Sku, None),
            Conflict::Invalid(invalid) => (Kind::Invalid, Members::Of(invalid), None),
        };
        Self { kind, detail, members, current }
    }
}

impl From<Refused> for Problem {
    fn from(Refused { kind, detail, members, current }: Refused) -> Self {
        let problem = match members {
            Members::None => Self::new(kind, detail),
            Members::Sku => {
                Self::new(kind, detail.clone()).with_errors(vec![ErrorItem::member("/sku", detail)])
            }
            Members::Of(invalid) => Self::from(invalid),
        };
        match current {
            Some(current) => problem.with_current(current),
            None => problem,
        }
    }
}
