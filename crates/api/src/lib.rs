//! The service over HTTP: components as JSON, events as a stream, metrics, health, and the documents that tell
//! of them.
//!
//! A handler takes what it needs from the request, makes one call to the store, and answers. Whatever goes
//! wrong becomes a `Problem` (RFC 9457) of one of the kinds that `kind.rs` lists, and the place where that
//! happens is `failure.rs` for all that the store answers. The routes of a resource are in the module of the
//! resource, and so is what the OpenAPI document says of them: [`openapi()`] is made from these.
//!
//! What belongs here: everything that knows of HTTP. What does not: SQL, and what a component may be.

mod app;
mod auth;
mod body;
mod client;
mod components;
mod docs;
mod edge;
mod etag;
mod events;
mod exposition;
mod failure;
mod health;
mod histogram;
mod http_metrics;
mod idempotency;
mod json;
mod kind;
mod limiter;
mod metrics_access;
mod openapi;
mod parameters;
mod problem;
mod process;
mod rate_limit;
mod request_context;
mod scrape;
mod security_headers;
mod stream_limiter;
mod traceparent;

pub use app::{App, DEFAULT_MAX_EVENT_STREAMS, Options, StartError};
pub use client::{Client, Connection, HealthOnly, NoNetwork, TrustedProxies};
pub use edge::DEFAULT_BODY_TIMEOUT;
pub use events::NO_PROXY_BUFFERING;
pub use http_metrics::label_routes;
pub use limiter::Limiter;
pub use metrics_access::{MetricsAccess, TokenDigest};
pub use openapi::openapi;
pub use request_context::RequestContext;
pub use stream_limiter::{OpenStream, StreamLimiter, StreamsFull};
