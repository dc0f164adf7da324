//! What happens to every request on its way in, and to every answer on its way out: who sent it, limits on how
//! many there are, on the time of their bodies and of their answers, an end to its panics, a problem for each failure, and a line in the log.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::{Body, HttpBody},
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, Uri, Version, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use tower::Service;
use tower_http::timeout::DeadlineBody;

use crate::{
    client::{Client, HealthOnly, TrustedProxies},
    kind::Kind,
    problem::{Cause, MEDIA_TYPE, Problem},
    rate_limit::{self, Limits},
    request_context::RequestContext,
    security_headers,
};

/// How long a request may take until its answer begins. A stream that has begun may go on.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the target of a request may be, in bytes: as many as 200 skus of 100 plain characters need, and
/// fewer than hyper takes, which would answer without a body.
pub(crate) const MAX_TARGET_BYTES: usize = 32 * 1024;
/// How long the names and values of a request's headers may be together, in bytes.
pub(crate) const MAX_HEADER_BYTES: usize = 32 * 1024;
/// How many header fields a request may have.
pub(crate) const MAX_HEADER_FIELDS: usize = 100;

/// Refuses a request whose head is too long, or does not say once what host it is meant for (RFC 9112 §3.2).
fn check_head(request: &Request) -> Result<(), Problem> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > MAX_TARGET_BYTES {
        let detail =
            format!("the URL has {target} bytes after the host; at most {MAX_TARGET_BYTES} are taken");
        return Err(Problem::new(Kind::TargetTooLong, detail));
    }
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > MAX_HEADER_BYTES || headers.len() > MAX_HEADER_FIELDS {
        let detail = format!(
            "the request has {} header fields of {bytes} bytes; at most {MAX_HEADER_FIELDS} of \
             {MAX_HEADER_BYTES} bytes are taken",
            headers.len()
        );
        return Err(Problem::new(Kind::HeadersTooLarge, detail));
    }
    let hosts = headers.get_all(header::HOST).iter().count();
    if hosts > 1 || hosts == 0 && request.version() == Version::HTTP_11 {
        let detail = format!("the request has {hosts} Host header fields, and must have one");
        return Err(Problem::new(Kind::BadRequest, detail));
    }
    Ok(())
}

/// How long the body of a request may take to come, unless the service is told otherwise.
pub const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// What the edge goes by.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) body_timeout: Duration,
    pub(crate) limits: Option<Arc<Limits>>,
}

/// The outermost layer around the routes.
pub(crate) async fn edge(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    let client = edge.trusted_proxies.client(request.extensions().get(), request.headers());
    request.extensions_mut().insert(client);
    // However little comes at a time: a client that sends a byte now and then holds nothing for long.
    if !request.body().is_end_stream() {
        request = request.map(|body| Body::new(DeadlineBody::new(edge.body_timeout, body)));
    }
    let context = RequestContext::new(request.headers());
    let asked = Asked::of(client, &request);
    // Boxed, so that the futures around it stay small: each of them is moved at least once.
    let passed = Box::pin(edge.pass(request, next));
    let mut response = context.name(context.scope(answer(asked, passed)).await);
    security_headers::add(response.headers_mut(), client.secure);
    response
}

/// The answer to a request: that of the service, or the problem that came in its place.
async fn answer(asked: Asked, passed: impl Future<Output = Response>) -> Response {
    // The future that panics is dropped here and the store is not inside it: nothing half-changed is left.
    let answered = AssertUnwindSafe(passed).catch_unwind();
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

impl Edge {
    /// Hands a request on, unless its head is too long or it is one of too many.
    async fn pass(&self, mut request: Request, mut next: Next) -> Response {
        if let Err(problem) = check_head(&request) {
            return problem.into_response();
        }
        let health_only = request.extensions().get::<HealthOnly>().is_some();
        if health_only && rate_limit::is_limited(request.uri().path()) {
            return Problem::new(Kind::Busy, "too many connections are open").into_response();
        }
        let standing = match &self.limits {
            Some(limits) if rate_limit::is_limited(request.uri().path()) => {
                match limits.admit(&mut request).await {
                    Ok(standing) => standing,
                    Err(refusal) => return refusal,
                }
            }
            _ => None,
        };
        let Ok(mut response) = next.call(request).await;
        if let Some(standing) = standing {
            standing.tell(response.headers_mut());
        }
        response
    }
}

/// The failures that are not problems yet: those of the framework and of the layers. A page for people is left as
/// it is.
fn as_problem(response: Response) -> Response {
    let told = |value: &HeaderValue| value == MEDIA_TYPE || value.as_bytes().starts_with(b"text/html");
    if response.headers().get(header::CONTENT_TYPE).is_some_and(told) {
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
    client: Client,
    method: Method,
    uri: Uri,
    route: Option<MatchedPath>,
    since: Instant,
}

impl Asked {
    fn of(client: Client, request: &Request) -> Self {
        Self {
            client,
            method: request.method().clone(),
            uri: request.uri().clone(),
            route: request.extensions().get().cloned(),
            since: Instant::now(),
        }
    }

    /// The line about this request as a whole: an error where nobody foresaw the failure.
    fn log(&self, response: &Response) {
        let Self { client: Client { address: client, secure: _ }, method, uri, route, since } = self;
        let (path, status) = (uri.path(), response.status().as_u16());
        let route = route.as_ref().map(MatchedPath::as_str);
        let duration_ms = since.elapsed().as_secs_f64() * 1000.0;
        if let Some(Cause { instance, reason }) = response.extensions().get() {
            tracing::error!(%client, %method, path, route, status, duration_ms, instance, reason, "failed");
        } else {
            tracing::debug!(%client, %method, path, route, status, duration_ms, "answered");
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, body::to_bytes, http::StatusCode, middleware, routing::get};
    use serde_json::Value;
    use tower::ServiceExt;

    use super::*;

    async fn ask(path: &str) -> (StatusCode, Value) {
        let plain = Edge {
            trusted_proxies: TrustedProxies::default(),
            body_timeout: DEFAULT_BODY_TIMEOUT,
            limits: None,
        };
        let router = Router::new()
            .route("/panic", get(async || -> &'static str { panic!("the secret of the service") }))
            .route("/never", get(std::future::pending::<&'static str>))
            .route("/teapot", get(async || (StatusCode::IM_A_TEAPOT, "short and stout")))
            .layer(middleware::from_fn_with_state(Arc::new(plain), edge));
        let request =
            Request::get(path).header(header::HOST, "test").body(axum::body::Body::empty()).unwrap();
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

    #[test]
    fn a_page_for_people_is_left_as_it_is() {
        let page = (StatusCode::NOT_FOUND, axum::response::Html("nothing here")).into_response();
        let page = as_problem(page);
        assert_eq!(page.status(), StatusCode::NOT_FOUND);
        assert_eq!(page.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
    }
}
