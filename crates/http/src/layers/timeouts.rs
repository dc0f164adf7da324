//! Limits on the time that a request takes.

use std::time::Duration;

use axum::{
    body::{Body, HttpBody},
    extract::Request,
};
use tokio::time::{Timeout, timeout};
use tower_http::timeout::DeadlineBody;

/// How long a request may take until its answer begins. A stream that has begun may go on.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the body of a request may take to arrive, unless the service is told otherwise.
pub const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// Gives the whole body of a request a deadline, so that a client that sends a byte now and then holds nothing for long.
pub(super) fn limit_body(request: Request, timeout: Duration) -> Request {
    if request.body().is_end_stream() {
        return request;
    }
    request.map(|body| Body::new(DeadlineBody::new(timeout, body)))
}

/// Gives up a request whose answer does not begin in time.
pub(super) fn limit_answer<F: Future>(answer: F) -> Timeout<F> {
    timeout(REQUEST_TIMEOUT, answer)
}
