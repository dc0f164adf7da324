//! What the HTTP API, the web admin and the metrics endpoint share: client addresses, bearer tokens, request ids and
//! trace context, middleware, limits, and problem documents (RFC 9457).
//!
//! What belongs here: what more than one of them needs. What does not: resources, pages, SQL.

mod bearer;
mod client_ip;
mod layers;
mod limiter;
mod problem;
mod request_context;
mod sse;
mod stream_limiter;
mod traceparent;

pub use bearer::{INVALID_TOKEN, Identity, bearer, insufficient};
pub use client_ip::{Client, Connection, HealthOnly, NoNetwork, TrustedProxies};
pub use layers::{
    DEFAULT_BODY_TIMEOUT, HttpMetrics, Layers, MAX_TARGET_BYTES, PanicError, RateLimits, RouteLabels,
    catch_panic, is_limited, label_routes,
};
pub use limiter::Limiter;
pub use problem::{
    CurrentResource, ErrorItem, MAX_ERRORS, MEDIA_TYPE, Problem, ProblemDocument, ProblemType,
};
pub use request_context::RequestContext;
pub use sse::NO_PROXY_BUFFERING;
pub use stream_limiter::{OpenStream, StreamLimiter, StreamsFull};
pub use traceparent::Traceparent;
