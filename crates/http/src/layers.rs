//! The layers around every route: [`Layers::around`] lists them in their order.

mod access_log;
mod catch_panic;
mod head;
mod limit;
mod metrics;
mod problems;
mod rate_limit;
mod security_headers;
mod timeouts;
mod trailing_slash;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{Method, Uri},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};

pub use self::{
    catch_panic::{PanicError, catch_panic},
    head::MAX_TARGET_BYTES,
    metrics::{HttpMetrics, RouteLabels, label_routes},
    rate_limit::{RateLimits, is_limited},
    timeouts::DEFAULT_BODY_TIMEOUT,
};
use crate::{
    client_ip::{HealthOnly, TrustedProxies},
    problem::{Problem, ProblemType},
    request_context::RequestContext,
};

/// What happens to every request on its way to its handler, and to every answer on its way back. Clones are the same.
#[derive(Debug, Clone)]
pub struct Layers {
    metrics: HttpMetrics,
    settings: Arc<Settings>,
}

#[derive(Debug)]
struct Settings {
    trusted_proxies: TrustedProxies,
    body_timeout: Duration,
    rate_limits: Option<Arc<RateLimits>>,
}

impl Layers {
    /// `trusted_proxies` are believed about who sent a request, and `body_timeout` is how long the body of a request may
    /// take to arrive. Without `rate_limits`, requests are not limited and their tokens are looked up by the handlers.
    pub fn new(
        metrics: HttpMetrics,
        trusted_proxies: TrustedProxies,
        body_timeout: Duration,
        rate_limits: Option<Arc<RateLimits>>,
    ) -> Self {
        Self { metrics, settings: Arc::new(Settings { trusted_proxies, body_timeout, rate_limits }) }
    }

    /// Puts the layers around routes. The outermost first, they are:
    ///
    /// 1. `trailing_slash`: a path that is no route is tried without the slash at its end.
    /// 2. `metrics`: how many requests there are, and how long they take.
    /// 3. `client`: who sent the request.
    /// 4. `security_headers`: what browsers must not do with the answer.
    /// 5. `request_context`: the id of the request, in the log and in the answer.
    /// 6. `access_log`: the line in the log.
    /// 7. `problems`: a body for failures that have none.
    /// 8. `timeouts`: of the body of the request and of the answer.
    /// 9. `catch_panic`: a panic becomes an answer.
    /// 10. `head`: limits on the size of the head.
    /// 11. `rate_limit`: limits on the number of requests, and the token of the request.
    ///
    /// All but the first two are steps of one middleware, because each layer of axum allocates for every request.
    pub fn around(&self, routes: Router) -> Router {
        let steps = middleware::from_fn_with_state(Arc::clone(&self.settings), steps);
        let routes = routes
            .fallback(not_found)
            .method_not_allowed_fallback(method_not_allowed)
            .layer((self.metrics.clone(), steps));
        trailing_slash::ignore(routes)
    }
}

async fn steps(State(settings): State<Arc<Settings>>, mut request: Request, next: Next) -> Response {
    let client = settings.trusted_proxies.client(request.extensions().get(), request.headers());
    request.extensions_mut().insert(client);
    let request = timeouts::limit_body(request, settings.body_timeout);
    let context = RequestContext::new(request.headers());
    let entry = access_log::AccessLogEntry::new(client, &request);
    // Boxed, so that the futures around it stay small: each of them is moved at least once.
    let answer = Box::pin(settings.admit(request, next));
    let answer = async {
        let response = match timeouts::limit_answer(catch_panic(answer)).await {
            Ok(Ok(response)) => response,
            Ok(Err(panicked)) => {
                let detail = "something went wrong in the service";
                Problem::unexpected(ProblemType::Internal, detail, &panicked).into_response()
            }
            Err(elapsed) => {
                let detail = "the request was not answered in time";
                Problem::unexpected(ProblemType::Timeout, detail, &elapsed).into_response()
            }
        };
        let response = problems::fill_in(response);
        entry.write(&response);
        response
    };
    let mut response = context.name(context.scope(answer).await);
    security_headers::add(response.headers_mut(), client.secure);
    response
}

impl Settings {
    /// Hands a request on, unless its head is too long or it is one of too many.
    async fn admit(&self, mut request: Request, next: Next) -> Response {
        if let Err(problem) = head::check(&request) {
            return problem.into_response();
        }
        let is_limited = is_limited(request.uri().path());
        if is_limited && request.extensions().get::<HealthOnly>().is_some() {
            return Problem::new(ProblemType::Busy, "too many connections are open").into_response();
        }
        let standing = match &self.rate_limits {
            Some(limits) if is_limited => match limits.admit(&mut request).await {
                Ok(standing) => standing,
                Err(refusal) => return refusal,
            },
            _ => None,
        };
        let mut response = next.run(request).await;
        if let Some(standing) = standing {
            standing.tell(response.headers_mut());
        }
        response
    }
}

async fn not_found(uri: Uri) -> Problem {
    Problem::new(ProblemType::NotFound, format!("there is nothing at {}", uri.path()))
}

async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::new(ProblemType::MethodNotAllowed, format!("{} does not support {method}", uri.path()))
}

#[cfg(test)]
mod tests {
    use ::metrics::NoopRecorder;
    use axum::{
        body::{Body, to_bytes},
        http::{StatusCode, header},
        routing::get,
    };
    use serde_json::Value;
    use tower::ServiceExt;

    use super::*;
    use crate::problem::MEDIA_TYPE;

    async fn ask(path: &str) -> (StatusCode, Value) {
        let routes = Router::new()
            .route("/panic", get(async || -> &'static str { panic!("the secret of the service") }))
            .route("/never", get(std::future::pending::<&'static str>))
            .route("/teapot", get(async || (StatusCode::IM_A_TEAPOT, "short and stout")));
        let metrics = HttpMetrics::new(Arc::new(NoopRecorder));
        let layers = Layers::new(metrics, TrustedProxies::default(), DEFAULT_BODY_TIMEOUT, None);
        let request = Request::get(path).header(header::HOST, "test").body(Body::empty()).unwrap();
        let response = layers.around(routes).oneshot(request).await.unwrap();
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
