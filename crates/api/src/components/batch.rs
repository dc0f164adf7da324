//! `POST /api/v1/components/batch`: many changes, all or none.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use inventory_core::{Component, ComponentId, ComponentPatch, NewComponent};
use inventory_store::{Done, Expected, Operation, Store, Write};
use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::{BATCH_PATH, batch_schema::Batch};
use crate::{
    auth::{Caller, Change},
    body::{self, JsonBody, MAX_BATCH_BYTES},
    failure,
    idempotency::{self, IdempotencyKey},
    openapi::problems,
    parameters::NoParameters,
    problem::{ErrorItem, Problem},
    traceparent::Traceparent,
};

/// How many operations a batch may have.
pub(super) const MAX_OPERATIONS: usize = 20_000;

problems!(BatchProblems: MalformedBody, InvalidParameter, InvalidHeader, Unauthorized, InsufficientScope, BatchRefused, SlowBody, TooLarge,
    UnsupportedMediaType, Invalid, KeyReused, Internal, Busy, Unavailable, OutcomeUnknown, Timeout);

/// Create, change and delete many components
///
/// The operations are carried out in order, all of them or none. Each that changes something is one event.
#[utoipa::path(
    post, path = BATCH_PATH, operation_id = "batchComponents", tag = "components",
    params(IdempotencyKey),
    request_body(content = Batch, content_type = "application/json"),
    responses(
        (status = 200, description = "One result an operation, in order", body = Wire,
            headers(("Idempotency-Replayed" = Option<String>,
                description = "`true` where this is the answer to an earlier request with the same key"))),
        BatchProblems,
    ),
)]
pub(super) async fn batch(
    caller: Caller<Change>,
    _parameters: NoParameters,
    State(store): State<Store>,
    key: IdempotencyKey,
    Traceparent(trace): Traceparent,
    body: JsonBody<MAX_BATCH_BYTES>,
) -> Result<Response, Problem> {
    let operations = operations(body.value()?)?;
    let verbs: Vec<_> = operations.iter().map(Verb::of).collect();
    let idempotency = key.of(caller.token(), BATCH_PATH, &body.0);
    let write = Write { trace, idempotency, ..Write::all(operations, caller.actor()) };
    let content = |index: usize| verbs.get(index).copied().map_or("component", Verb::content);
    let written = store.write(write).await.map_err(|error| failure::of_batch(error, content))?;
    let results: Vec<_> = written.results.into_iter().filter_map(Outcome::of).collect();
    let count = results.len();
    let body = body::of(&Wire { results }, count)?;
    let mut response = ([(header::CONTENT_TYPE, HeaderValue::from_static(body::JSON))], body).into_response();
    idempotency::mark(response.headers_mut(), written.replayed);
    Ok(response)
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = BatchVerb)]
#[serde(rename_all = "snake_case")]
enum Verb {
    Create,
    Update,
    Delete,
}

impl Verb {
    fn of(operation: &Operation) -> Self {
        match operation {
            Operation::Update { .. } => Self::Update,
            Operation::Delete { .. } => Self::Delete,
            Operation::Create(_) | Operation::Access(_) => Self::Create,
        }
    }

    /// The member of an operation that says what the component shall be.
    fn content(self) -> &'static str {
        match self {
            Self::Create => "component",
            Self::Update | Self::Delete => "patch",
        }
    }
}

/// What became of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = BatchStatus)]
#[serde(rename_all = "snake_case")]
enum Status {
    Created,
    Updated,
    /// The component was already as asked: no new version, no event.
    Unchanged,
    Deleted,
}

/// The results of a batch.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BatchResults)]
struct Wire {
    /// One an operation, in order.
    #[schema(max_items = 20_000)]
    results: Vec<Outcome>,
}

/// The result of one operation.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BatchResult)]
struct Outcome {
    /// What was asked.
    op: Verb,
    /// What was done.
    status: Status,
    /// The component as it is now, or as it last was.
    #[schema(value_type = Component)]
    component: Arc<Component>,
}

impl Outcome {
    fn of(done: Done) -> Option<Self> {
        let (op, status, component) = match done {
            Done::Created(component) => (Verb::Create, Status::Created, component),
            Done::Updated(component) => (Verb::Update, Status::Updated, component),
            Done::Unchanged(component) => (Verb::Update, Status::Unchanged, component),
            Done::Deleted(component) => (Verb::Delete, Status::Deleted, component),
            Done::Access(_) => return None,
        };
        Some(Self { op, status, component })
    }
}

/// Reads the operations of a body, and reports every member that is wrong.
fn operations(body: Value) -> Result<Vec<Operation>, Problem> {
    let mut batch = Object::of(String::new(), body).map_err(|error| Problem::invalid(vec![error]))?;
    let operations = batch.take("operations", |value| match value {
        Value::Array(items) if items.is_empty() => Err("must have at least one operation".to_owned()),
        Value::Array(items) if items.len() > MAX_OPERATIONS => {
            Err(format!("must have at most {MAX_OPERATIONS} operations, and this has {}", items.len()))
        }
        Value::Array(items) => Ok(items),
        _ => Err("must be an array".to_owned()),
    });
    let mut errors = batch.finish();
    let mut read = Vec::new();
    for (index, item) in operations.unwrap_or_default().into_iter().enumerate() {
        match operation(format!("/operations/{index}"), item) {
            Ok(operation) => read.push(operation),
            Err(wrong) => errors.extend(wrong),
        }
    }
    if errors.is_empty() { Ok(read) } else { Err(Problem::invalid(errors)) }
}

fn operation(pointer: String, value: Value) -> Result<Operation, Vec<ErrorItem>> {
    let mut members = Object::of(pointer, value).map_err(|error| vec![error])?;
    let verb = members.take("op", |value| match value.as_str() {
        Some("create") => Ok(Verb::Create),
        Some("update") => Ok(Verb::Update),
        Some("delete") => Ok(Verb::Delete),
        _ => Err("must be \"create\", \"update\" or \"delete\"".to_owned()),
    });
    let operation = match verb {
        // Without knowing what is asked, nothing more can be said.
        None => return Err(members.errors),
        Some(Verb::Create) => {
            let new = members.take_object("component", NewComponent::from_json);
            new.map(|new| Operation::Create(Box::new(new)))
        }
        Some(Verb::Update) => {
            let (id, expected) = (members.take("id", |value| id(&value)), members.take("version", version));
            let patch = members.take_object("patch", ComponentPatch::from_json);
            match (id, expected, patch) {
                (Some(id), Some(expected), Some(patch)) => {
                    Some(Operation::Update { id, expected, patch: Box::new(patch) })
                }
                _ => None,
            }
        }
        Some(Verb::Delete) => {
            match (members.take("id", |value| id(&value)), members.take("version", version)) {
                (Some(id), Some(expected)) => Some(Operation::Delete { id, expected }),
                _ => None,
            }
        }
    };
    let errors = members.finish();
    operation.filter(|_| errors.is_empty()).ok_or(errors)
}

fn id(value: &Value) -> Result<ComponentId, String> {
    let text = value.as_str().filter(|text| text.len() == uuid::fmt::Hyphenated::LENGTH);
    text.and_then(|text| text.parse().ok()).map(ComponentId).ok_or_else(|| "must be a UUID".to_owned())
}

fn version(value: Value) -> Result<Expected, String> {
    match value {
        Value::String(any) if any == "*" => Ok(Expected::Any),
        Value::Number(number) => match integer(&number) {
            Some(version @ 1..) => Ok(Expected::version(version)),
            _ => Err("must be a positive integer".to_owned()),
        },
        _ => Err("must be the version that the change is made from, or \"*\" for any".to_owned()),
    }
}

/// A number without a fraction: to JSON Schema, 1.0 is an integer too (2020-12, core §4.2.1).
fn integer(number: &Number) -> Option<u64> {
    let whole = || number.as_f64().filter(|number| number.fract() == 0.0);
    number.as_u64().or_else(|| format!("{:.0}", whole()?).parse().ok())
}

/// The members of an object, taken one by one; what is left at the end is not known.
struct Object {
    pointer: String,
    members: Map<String, Value>,
    errors: Vec<ErrorItem>,
}

impl Object {
    fn of(pointer: String, value: Value) -> Result<Self, ErrorItem> {
        match value {
            Value::Object(members) => Ok(Self { pointer, members, errors: Vec::new() }),
            _ => Err(ErrorItem::member(pointer, "must be an object")),
        }
    }

    fn take<T>(&mut self, name: &str, read: impl FnOnce(Value) -> Result<T, String>) -> Option<T> {
        let value = match self.members.remove(name) {
            Some(value) => read(value),
            None => Err("is required".to_owned()),
        };
        let pointer = &self.pointer;
        value.map_err(|detail| self.errors.push(ErrorItem::member(format!("{pointer}/{name}"), detail))).ok()
    }

    /// A member that is an object with errors of its own.
    fn take_object<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Value) -> Result<T, inventory_core::Invalid>,
    ) -> Option<T> {
        let value = self.take(name, Ok)?;
        let pointer = &self.pointer;
        let item = |error: inventory_core::FieldError| {
            ErrorItem::member(format!("{pointer}/{name}{}", error.pointer), error.detail)
        };
        read(value).map_err(|invalid| self.errors.extend(invalid.0.into_iter().map(item))).ok()
    }

    fn finish(mut self) -> Vec<ErrorItem> {
        let Self { pointer, members, errors } = &mut self;
        errors.extend(members.keys().map(|name| {
            // RFC 6901 escapes these two characters.
            let name = name.replace('~', "~0").replace('/', "~1");
            ErrorItem::member(format!("{pointer}/{name}"), "is not a member of this object")
        }));
        self.errors
    }
}
