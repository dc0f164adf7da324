//! The HTTP API: components as JSON, events as a stream, health checks, and the API documentation.
//!
//! A handler takes what it needs from the request, makes one call to the store, and answers. Errors become a
//! `Problem` (RFC 9457). The routes of a resource, and their OpenAPI descriptions, are in the module of the
//! resource.
//!
//! What belongs here: the resources. What does not: SQL, the validation of components, and the middleware of
//! all routes, which is in `inventory-http`.

mod authorized;
mod body;
mod components;
mod docs;
mod etag;
mod events;
mod health;
mod idempotency;
mod json;
mod openapi;
mod parameters;

use std::sync::Arc;

use axum::{Router, extract::FromRef};
use inventory_store::Store;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub use body::BodyBudget;
pub use events::{DEFAULT_MAX_EVENT_STREAMS, Streams};
pub use health::Readiness;

/// The routes of the API, and the OpenAPI document that describes them. The document is also served by a
/// route.
pub fn router<S>() -> (Router<S>, OpenApi)
where
    S: Clone + Send + Sync + 'static,
    Store: FromRef<S>,
    Arc<BodyBudget>: FromRef<S>,
    Arc<Streams>: FromRef<S>,
    Readiness: FromRef<S>,
{
    let (routes, document) = OpenApiRouter::with_openapi(openapi::preamble())
        .merge(components::router())
        .merge(events::router())
        .merge(health::router())
        .merge(docs::router())
        .split_for_parts();
    let document = openapi::complete(document);
    (routes.merge(docs::pages(&document)), document)
}
