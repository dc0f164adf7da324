//! What the store refuses of changes to components, as problems: the one place where it is translated.

use std::sync::Arc;

use inventory_core::{Component, ValidationErrors};
use inventory_http::{CurrentResource, ErrorItem, Problem, ProblemType};
use inventory_store::{Conflict, OperationError, OperationErrors, WriteError};
use serde_json::value::to_raw_value;

use crate::etag;

/// The failure of a write of one operation.
pub(crate) fn of_operation(error: WriteError<Conflict>) -> Problem {
    match error {
        WriteError::Conflict(conflict) => Refused::from(conflict).into(),
        WriteError::Failure(failure) => failure.into(),
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
            problem_type: Some(kind),
            current: current.as_ref().map(|current| Arc::clone(&current.json)),
            ..ErrorItem::member(pointer, detail)
        };
        let operation = format!("/operations/{index}");
        let content = content(index);
        match members {
            Members::None => vec![item(operation, detail)],
            Members::Sku => vec![item(format!("{operation}/{content}/sku"), detail)],
            Members::Of(ValidationErrors(errors)) => errors
                .into_iter()
                .map(|error| item(format!("{operation}/{content}{}", error.pointer), error.detail))
                .collect(),
        }
    });
    Problem::new(ProblemType::BatchRefused, detail).with_errors(items.collect())
}

/// Why one operation was refused, before it is known whether it was alone.
struct Refused {
    kind: ProblemType,
    detail: String,
    members: Members,
    current: Option<CurrentResource>,
}

fn current(component: &Component) -> Option<CurrentResource> {
    // Cannot fail: every member is a text, a number or a map of texts.
    let json = to_raw_value(component).ok()?;
    Some(CurrentResource { json: json.into(), etag: etag::of(component.version) })
}

/// The members of the operation's object that are at fault.
enum Members {
    None,
    Sku,
    Of(ValidationErrors),
}

impl From<Conflict> for Refused {
    fn from(conflict: Conflict) -> Self {
        let detail = conflict.to_string();
        let (kind, members, current) = match conflict {
            Conflict::NoComponent(_) => (ProblemType::NoComponent, Members::None, None),
            Conflict::Stale(component) => (ProblemType::Stale, Members::None, current(&component)),
            Conflict::SkuTaken(_) => (ProblemType::SkuTaken, Members::Sku, None),
            Conflict::Invalid(invalid) => (ProblemType::Invalid, Members::Of(invalid), None),
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
