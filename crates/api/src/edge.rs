//! What happens to every request on its way in, and to every answer on its way out: a limit on its time, an
//! end to its panics, a problem for each failure, and a line in the log.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, Method, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use tracing::Instrument;

use crate::{
    kind::Kind,
    problem::{Cause, MEDIA_TYPE, Problem},
    traceparent,
};

/// How long a request may take until its answer begins. A stream that has begun may go on.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The outermost layer around the routes.
pub(crate) async fn edge(request: Request, next: Next) -> Response {
    let asked = Asked::of(&request);
    let span = tracing::debug_span!("request", method = %asked.method, path = asked.uri.path());
    // The future that panics is dropped here and the store is not inside it: nothing half-changed is left.
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span);
    let mut response = match tokio::time::timeout(REQUEST_TIMEOUT, answered).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            let cause = format!("panicked: {}", message(&*panic));
            Problem::unexpected(Kind::Internal, "something went wrong in the service", &cause).into_response()
        }
        Err(elapsed) => {
            let detail = "the request was not answered in time";
            Problem::unexpected(Kind::Timeout, detail, &elapsed).into_response()
        }
    };
    if response.status().is_client_error() || response.status().is_server_error() {
        response = as_problem(response);
    }
    asked.log(&response);
    response
}

/// The failures that are not problems yet: those of the framework and of the layers.
fn as_problem(response: Response) -> Response {
    if response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == MEDIA_TYPE) {
        return response;
    }
    let kind = Kind::of_status(response.status());
    let mut problem = Problem::new(kind, kind.title()).with_status(response.status()).into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// What is told of a request in the log.
struct Asked {
    method: Method,
    uri: Uri,
    route: Option<MatchedPath>,
    trace: Option<String>,
    since: Instant,
}

impl Asked {
    fn of(request: &Request) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            route: request.extensions().get().cloned(),
            trace: trace(request.headers()),
            since: Instant::now(),
        }
    }

    /// The one line about this request: an error where nobody foresaw the failure.
    fn log(&self, response: &Response) {
        let Self { method, uri, route, trace, since } = self;
        let (path, status) = (uri.path(), response.status().as_u16());
        let route = route.as_ref().map(MatchedPath::as_str);
        let trace = trace.as_deref();
        let elapsed = since.elapsed();
        if let Some(Cause { instance, reason }) = response.extensions().get() {
            tracing::error!(%method, path, route, status, ?elapsed, trace, instance, reason, "failed");
        } else {
            tracing::debug!(%method, path, route, status, ?elapsed, trace, "answered");
        }
    }
}

fn trace(headers: &HeaderMap) -> Option<String> {
    traceparent::read(headers).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::to_bytes, http::StatusCode, middleware, routing::get};
    use serde_json::Value;
    use tower::ServiceExt;

    use super::*;

    async fn ask(path: &str) -> (StatusCode, Value) {
        let router = Router::new()
            .route("/panic", get(async || -> &'static str { panic!("the secret of the service") }))
            .route("/never", get(std::future::pending::<&'static str>))
            .route("/teapot", get(async || (StatusCode::IM_A_TEAPOT, "short and stout")))
            .layer(middleware::from_fn(edge));
        let request = Request::get(path).body(axum::body::Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
        let status = response.status();
        (status, serde_json::from_slice(&to_bytes(response.into_body(), 10_000).await.unwrap()).unwrap())
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_that_does_not_tell_its_cause() {
        let (status, problem) = ask("/panic").await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(problem["type"], "/problems/internal-error");
        assert!(problem["instance"].as_str().unwrap().starts_with("urn:uuid:"), "{problem}");
        assert!(!problem.to_string().contains("secret"), "{problem}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_too_long_is_given_up() {
        let since = tokio::time::Instant::now();
        let (status, problem) = ask("/never").await;
        assert_eq!((status, since.elapsed().as_secs()), (StatusCode::SERVICE_UNAVAILABLE, 30));
        assert_eq!(problem["type"], "/problems/timeout");
    }

    #[tokio::test]
    async fn a_failure_of_the_framework_becomes_a_problem_of_its_status() {
        let (status, problem) = ask("/teapot").await;
        assert_eq!(status, StatusCode::IM_A_TEAPOT);
        assert_eq!((&problem["type"], &problem["status"]), (&"/problems/bad-request".into(), &418.into()));
    }
}
