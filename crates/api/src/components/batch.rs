//! `POST /api/v1/components/batch`: many changes, all or none.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use inventory_core::Component;
use inventory_http::{Problem, Traceparent};
use inventory_store::{OperationResult, Store, WriteContext};
use serde::Serialize;

use super::{
    batch_body,
    batch_schema::{Batch, Verb},
    conflicts,
    paths::BATCH_PATH,
};
use crate::{
    authorized::{Authorized, Change},
    body::{self, BodyLease, JsonBody, MAX_BATCH_BYTES},
    idempotency::{self, IdempotencyKey},
    openapi::problems,
    parameters::NoParameters,
};

problems!(BatchProblems: MalformedBody, InvalidParameter, InvalidHeader, Unauthorized, InsufficientScope, BatchRefused, SlowBody, TooLarge,
    UnsupportedMediaType, Invalid, KeyReused, Internal, Busy, Unavailable, OutcomeUnknown, Timeout);

/// Create, change and delete many components
///
/// The operations are carried out in order, all of them or none. Each operation that changes something
/// produces one event.
#[utoipa::path(
    post, path = BATCH_PATH, operation_id = "batchComponents", tag = "components",
    params(IdempotencyKey),
    request_body(content = Batch, content_type = "application/json"),
    responses(
        (status = 200, description = "One result for each operation, in order", body = Wire,
            headers(("Idempotency-Replayed" = Option<String>,
                description = "`true` if this is the response to an earlier request with the same key"))),
        BatchProblems,
    ),
)]
pub(super) async fn batch(
    caller: Authorized<Change>,
    _parameters: NoParameters,
    State(store): State<Store>,
    key: IdempotencyKey,
    Traceparent(trace): Traceparent,
    body: JsonBody<MAX_BATCH_BYTES>,
) -> Result<Response, Problem> {
    let token = caller.token().id;
    let read = move |body: &[u8], lease: &mut BodyLease| {
        Ok((batch_body::read(body, lease)?, key.of(token, BATCH_PATH, body)))
    };
    // The lease is kept to the end: until then the operations take the memory that the body took.
    let ((operations, idempotency), _lease) = body.read(read).await?;
    let verbs: Vec<_> = operations.iter().map(Verb::of).collect();
    let context = WriteContext { trace, idempotency, ..WriteContext::new(caller.actor()) };
    let member = |index: usize| verbs.get(index).copied().map_or("component", Verb::content);
    let written =
        store.write(operations, context).await.map_err(|error| conflicts::of_batch(error, member))?;
    let results: Vec<_> = written.result.into_iter().map(Outcome::of).collect();
    let count = results.len();
    let body = body::of_many(Wire { results }, count).await?;
    let mut response = ([(header::CONTENT_TYPE, HeaderValue::from_static(body::JSON))], body).into_response();
    idempotency::mark(response.headers_mut(), written.replayed);
    Ok(response)
}

/// The outcome of an operation.
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
    /// One for each operation, in order.
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
    /// The component after the operation; of a deleted one, its last state.
    #[schema(value_type = Component)]
    component: Arc<Component>,
}

impl Outcome {
    fn of(result: OperationResult) -> Self {
        let (op, status, component) = match result {
            OperationResult::Created(component) => (Verb::Create, Status::Created, component),
            OperationResult::Updated(component) => (Verb::Update, Status::Updated, component),
            OperationResult::Unchanged(component) => (Verb::Update, Status::Unchanged, component),
            OperationResult::Deleted(component) => (Verb::Delete, Status::Deleted, component),
        };
        Self { op, status, component }
    }
}
