//! One component: create, read, change, delete.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use inventory_core::{Component, ComponentId, ComponentPatch, NewComponent};
use inventory_http::{Problem, ProblemType, Traceparent};
use inventory_store::{ComponentOperation, Store, WriteContext};
use serde::Serialize;

use super::{
    conflicts,
    fields::{self, Fields, SelectedComponent},
    parameter::FieldsParameter,
    paths::{COMPONENT_PATH, COMPONENTS_PATH},
};
use crate::{
    authorized::{Authorized, Change, Read},
    body::{self, BodyLease, JsonBody, MAX_BYTES},
    etag::{self, IfMatch, IfNoneMatch},
    idempotency::{self, IdempotencyKey},
    json,
    openapi::problems,
    parameters::{Id, NoParameters, Parameters},
};

/// How many headers an answer has in the end, so that there is room for all of them from the beginning.
const HEADERS: usize = 12;

problems!(CreateProblems: MalformedBody, InvalidParameter, InvalidHeader, Unauthorized, InsufficientScope, SkuTaken, SlowBody, TooLarge,
    UnsupportedMediaType, Invalid, KeyReused, Internal, Busy, Unavailable, OutcomeUnknown, Timeout);

/// Create a component
#[utoipa::path(
    post, path = COMPONENTS_PATH, operation_id = "createComponent", tag = "components",
    params(IdempotencyKey),
    request_body(content = NewComponent, content_type = "application/json"),
    responses(
        (status = 201, description = "The component as created", body = Component,
            headers(
                ("Location" = String, description = "The path of the component"),
                ("ETag" = String, description = "Its version"),
                ("Idempotency-Replayed" = Option<String>,
                    description = "`true` if this is the response to an earlier request with the same key"),
            ),
            links(
                ("read" = (operation_id = "getComponent", parameters(("id" = "$response.body#/id")))),
                ("update" = (operation_id = "updateComponent",
                    parameters(("id" = "$response.body#/id"), ("If-Match" = "$response.header.ETag")))),
                ("delete" = (operation_id = "deleteComponent",
                    parameters(("id" = "$response.body#/id"), ("If-Match" = "$response.header.ETag")))),
            )),
        CreateProblems,
    ),
)]
pub(super) async fn create(
    caller: Authorized<Change>,
    _parameters: NoParameters,
    State(store): State<Store>,
    key: IdempotencyKey,
    Traceparent(trace): Traceparent,
    body: JsonBody<MAX_BYTES>,
) -> Result<Response, Problem> {
    let token = caller.token().id;
    let read = move |body: &[u8], _: &mut BodyLease| {
        let new = NewComponent::from_json(json::read(body)?)?;
        Ok((ComponentOperation::Create(Box::new(new)), key.of(token, COMPONENTS_PATH, body)))
    };
    let ((operation, idempotency), _lease) = body.read(read).await?;
    let context = WriteContext { trace, idempotency, ..WriteContext::new(caller.actor()) };
    let written = store.write_one(operation, context).await.map_err(conflicts::of_operation)?;
    let component = written.result.into_component();
    let mut response = component_response(StatusCode::CREATED, etag::of(component.version), &*component)?;
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::try_from(format!("{COMPONENTS_PATH}/{}", component.id)) {
        headers.insert(header::LOCATION, location);
    }
    idempotency::mark(headers, written.replayed);
    Ok(response)
}

problems!(ReadProblems: InvalidParameter, Unauthorized, InsufficientScope, NoComponent, Internal, Unavailable,
    Timeout);

/// Read a component
#[utoipa::path(
    get, path = COMPONENT_PATH, operation_id = "getComponent", tag = "components",
    params(
        ("id" = uuid::Uuid, Path, description = "The component's id"),
        FieldsParameter,
        IfNoneMatch,
    ),
    responses(
        (status = 200, description = "The component", body = SelectedComponent,
            headers(("ETag" = String, description = "Its version"))),
        (status = 304, description = "The component is at a version that `If-None-Match` names",
            headers(("ETag" = String, description = "Its version"))),
        ReadProblems,
    ),
)]
pub(super) async fn read(
    _caller: Authorized<Read>,
    Id(id): Id<ComponentId>,
    mut parameters: Parameters,
    known: IfNoneMatch,
    State(store): State<Store>,
) -> Result<Response, Problem> {
    let fields = Fields::parse(parameters.take(fields::PARAMETER).as_deref())?;
    parameters.finish(&[fields::PARAMETER])?;
    let Some(stored) = store.stored_component(id).await? else {
        return Err(Problem::new(ProblemType::NoComponent, format!("there is no component {id}")));
    };
    let component = stored.json()?;
    let etag = etag::of(component.version());
    if known.has(component.version()) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    component_response(StatusCode::OK, etag, &fields.of(&component))
}

problems!(UpdateProblems: MalformedBody, InvalidParameter, InvalidHeader, Unauthorized, InsufficientScope, NoComponent, SkuTaken,
    Stale, SlowBody, TooLarge, UnsupportedMediaType, Invalid, IfMatchRequired, Internal, Busy, Unavailable,
    OutcomeUnknown, Timeout);

/// Change a component
///
/// The body is a JSON merge patch (RFC 7396): absent members are left unchanged. A patch that changes nothing
/// creates no new version.
#[utoipa::path(
    patch, path = COMPONENT_PATH, operation_id = "updateComponent", tag = "components",
    params(
        ("id" = uuid::Uuid, Path, description = "The component's id"),
        IfMatch,
    ),
    request_body(content(
        (ComponentPatch = "application/merge-patch+json"),
        (ComponentPatch = "application/json"),
    )),
    responses(
        (status = 200, description = "The component after the change", body = Component,
            headers(("ETag" = String, description = "Its version"))),
        UpdateProblems,
    ),
)]
pub(super) async fn update(
    caller: Authorized<Change>,
    Id(id): Id<ComponentId>,
    _parameters: NoParameters,
    IfMatch(expected): IfMatch,
    State(store): State<Store>,
    Traceparent(trace): Traceparent,
    body: JsonBody<MAX_BYTES>,
) -> Result<Response, Problem> {
    let read = |body: &[u8], _: &mut BodyLease| Ok(Box::new(ComponentPatch::from_json(json::read(body)?)?));
    let (patch, _lease) = body.read(read).await?;
    let operation = ComponentOperation::Update { id, expected, patch };
    let context = WriteContext { trace, ..WriteContext::new(caller.actor()) };
    let written = store.write_one(operation, context).await.map_err(conflicts::of_operation)?;
    let component = written.result.into_component();
    component_response(StatusCode::OK, etag::of(component.version), &*component)
}

problems!(DeleteProblems: InvalidParameter, InvalidHeader, Unauthorized, InsufficientScope, NoComponent, Stale, IfMatchRequired,
    Internal, Busy, Unavailable, OutcomeUnknown, Timeout);

/// Delete a component
///
/// The event log keeps its last state.
#[utoipa::path(
    delete, path = COMPONENT_PATH, operation_id = "deleteComponent", tag = "components",
    params(
        ("id" = uuid::Uuid, Path, description = "The component's id"),
        IfMatch,
    ),
    responses((status = 204, description = "The component is deleted"), DeleteProblems),
)]
pub(super) async fn delete(
    caller: Authorized<Change>,
    Id(id): Id<ComponentId>,
    _parameters: NoParameters,
    IfMatch(expected): IfMatch,
    State(store): State<Store>,
    Traceparent(trace): Traceparent,
) -> Result<StatusCode, Problem> {
    let operation = ComponentOperation::Delete { id, expected };
    let context = WriteContext { trace, ..WriteContext::new(caller.actor()) };
    store.write_one(operation, context).await.map_err(conflicts::of_operation)?;
    Ok(StatusCode::NO_CONTENT)
}

fn component_response(
    status: StatusCode,
    etag: HeaderValue,
    component: &impl Serialize,
) -> Result<Response, Problem> {
    let mut headers = HeaderMap::with_capacity(HEADERS);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(body::JSON));
    headers.insert(header::ETAG, etag);
    // Not as a tuple, whose headers would be copied one by one.
    let mut response = Response::new(body::of(component, 1)?);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}
