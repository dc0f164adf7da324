//! What the store refuses or cannot do, as problems: the one place where they are translated.

use std::sync::Arc;

use inventory_core::{Component, Invalid};
use inventory_store::{ReadError, Reason, Refusal, WriteError};

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

impl From<WriteError> for Problem {
    /// The failure of a write of one operation.
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Refused(refusals) => match refusals.into_iter().next() {
                Some(Refusal { index: _, reason }) => Refused::from(reason).into(),
                None => Self::unexpected(Kind::Internal, "the write was refused", &"no reason was given"),
            },
            WriteError::KeyReused => Self::new(
                Kind::KeyReused,
                "another request was made with this Idempotency-Key; choose a new key for a new request",
            ),
            WriteError::Busy => Self::new(Kind::Busy, "the service cannot take this write now"),
            WriteError::Unavailable(_) => Self::unexpected(
                Kind::Unavailable,
                "the database does not answer; nothing was changed",
                &error,
            ),
            WriteError::Unknown => Self::unexpected(
                Kind::OutcomeUnknown,
                "the connection to the database was lost during the commit, so the write may have been \
                 carried out or not",
                &error,
            ),
            _ => Self::unexpected(Kind::Internal, "the write failed", &error),
        }
    }
}

/// The failure of a write of many operations: every refusal, with a pointer to its operation. `content` names
/// the member of an operation that holds its component or patch.
pub(crate) fn of_batch(error: WriteError, content: impl Fn(usize) -> &'static str) -> Problem {
    let WriteError::Refused(refusals) = error else { return error.into() };
    let detail = match refusals.as_slice() {
        [Refusal { index, reason }] => format!("operation {index} cannot be carried out: {reason}"),
        many => format!("{} operations cannot be carried out", many.len()),
    };
    let errors = refusals.into_iter().flat_map(|Refusal { index, reason }| {
        let Refused { kind, detail, members, current } = Refused::from(reason);
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
    Problem::new(Kind::BatchRefused, detail).with_errors(errors.collect())
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

impl From<Reason> for Refused {
    fn from(reason: Reason) -> Self {
        let detail = reason.to_string();
        let (kind, members, current) = match reason {
            Reason::NoComponent(_) => (Kind::NoComponent, Members::None, None),
            Reason::Stale(current) => (Kind::Stale, Members::None, Some(current)),
            Reason::SkuTaken(_) => (Kind::SkuTaken, Members::Sku, None),
            Reason::Invalid(invalid) => (Kind::Invalid, Members::Of(invalid), None),
            // Users and tokens are not managed through this API, so these are not answers to any of its writes.
            Reason::Access(_) => (Kind::Internal, Members::None, None),
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
