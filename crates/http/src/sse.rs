//! Server-Sent Events.

use axum::http::{HeaderName, HeaderValue};

/// Tells nginx to pass an event stream on as it comes, instead of collecting it in a buffer.
pub const NO_PROXY_BUFFERING: [(HeaderName, HeaderValue); 1] =
    [(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"))];
