//! Requests by route template, method and status: how long until the head of the response, and how many wait
//! for it now. An event stream counts until its head, too: how long it then stays open is no latency.
//!
//! Only requests that reach the handler of a declared method have a route, so that nobody makes series by asking
//! for what the service refuses: [`label_routes`] is around the handlers and notes them.
//!
//! A request whose client hangs up before there is a response leaves the gauge and is not in the histogram:
//! it has no status.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Instant,
};

use axum::{
    Router,
    extract::MatchedPath,
    http::{Method, Request, Response, StatusCode},
};
use inventory_metrics::{HTTP_ACTIVE_REQUESTS, HTTP_RATE_LIMITED, HTTP_REQUEST_DURATION, HTTP_REQUESTS};
use metrics::{Counter, Gauge, Histogram, Recorder};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::limit::Limit;

/// Maximum number of combinations of route, method and status that get a separate series. Further ones share
/// the series without a route. The service declares some 75 pairs of method and route, each with few
/// statuses.
const MAX_SERIES: usize = 400;

/// The methods that routes declare.
const METHODS: [Method; 4] = [Method::GET, Method::POST, Method::PATCH, Method::DELETE];

/// The value of a label for what is none of the known values, as OpenTelemetry names it.
const OTHER: &str = "_OTHER";

/// The values of the label `error_type`. The last is that of a request without error.
const ERROR_TYPES: [&str; 3] = ["500", "503", NO_ERROR];

/// The error type of a request without error.
const NO_ERROR: &str = "";

/// The route whose answer that the service is not ready is no error.
const READY_PATH: &str = "/readyz";

/// The route of a request that reached no handler.
const NO_ROUTE: &str = "";

/// Measures every request to the router that it is put around with [`axum::Router::layer`].
#[derive(Clone)]
pub struct HttpMetrics {
    shared: Arc<Shared>,
}

struct Shared {
    recorder: Arc<dyn Recorder + Send + Sync>,
    active: Gauge,
    /// Every pair of method and error type.
    answered: Vec<(&'static str, &'static str, Counter)>,
    durations: RwLock<Durations>,
    refused: [(Limit, Counter); Limit::ALL.len()],
}

/// The handles that were needed so far.
#[derive(Default)]
struct Durations {
    by_route: HashMap<Box<str>, Vec<(Answer, Histogram)>>,
    series: usize,
}

/// What was asked of a route, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Answer {
    method: &'static str,
    status: u16,
}

impl std::fmt::Debug for HttpMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpMetrics").finish_non_exhaustive()
    }
}

impl HttpMetrics {
    /// Registers the metrics on a recorder.
    pub fn new(recorder: Arc<dyn Recorder + Send + Sync>) -> Self {
        let active = HTTP_ACTIVE_REQUESTS.gauge(&*recorder, &[]);
        let refused = Limit::ALL.map(|limit| (limit, HTTP_RATE_LIMITED.counter(&*recorder, &[limit.name()])));
        let methods = METHODS.iter().map(method_label).chain([OTHER]);
        let pairs = methods.flat_map(|method| ERROR_TYPES.map(|error_type| (method, error_type)));
        let answered = pairs.map(|(method, error_type)| {
            (method, error_type, HTTP_REQUESTS.counter(&*recorder, &[method, error_type]))
        });
        let answered = answered.collect();
        Self {
            shared: Arc::new(Shared { recorder, active, answered, durations: RwLock::default(), refused }),
        }
    }

    /// A request met a limit.
    pub fn refused(&self, limit: Limit) {
        for (_, counter) in self.shared.refused.iter().filter(|(known, _)| *known == limit) {
            counter.increment(1);
        }
    }
}

impl Shared {
    fn record(&self, route: &str, answer: Answer, seconds: f64) {
        let key = (answer.method, answer.error_type(route));
        if let Some((.., counter)) = self.answered.iter().find(|(method, error, _)| (*method, *error) == key)
        {
            counter.increment(1);
        }
        let durations = self.durations.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(duration) = durations.find(route, answer) {
            return duration.record(seconds);
        }
        drop(durations);
        let mut durations = self.durations.write().unwrap_or_else(PoisonError::into_inner);
        durations.find_or_register(&*self.recorder, route, answer).record(seconds);
    }
}

impl Durations {
    fn find(&self, route: &str, answer: Answer) -> Option<&Histogram> {
        let answers = self.by_route.get(route)?;
        answers.iter().find(|(known, _)| *known == answer).map(|(_, duration)| duration)
    }

    fn find_or_register(&mut self, recorder: &dyn Recorder, route: &str, answer: Answer) -> Histogram {
        if let Some(duration) = self.find(route, answer) {
            return duration.clone();
        }
        if self.series >= MAX_SERIES && route != NO_ROUTE {
            return self.find_or_register(recorder, NO_ROUTE, answer);
        }
        let Answer { method, status } = answer;
        let labels = [method, route, &status.to_string(), answer.error_type(route)];
        let duration = HTTP_REQUEST_DURATION.histogram(recorder, &labels);
        self.by_route.entry(route.into()).or_default().push((answer, duration.clone()));
        self.series += 1;
        duration
    }
}

impl Answer {
    /// That a service is not ready is what `/readyz` is there to say, and no error.
    fn error_type(self, route: &str) -> &'static str {
        match self.status {
            503 if route == READY_PATH => NO_ERROR,
            503 => "503",
            // The service answers with no other.
            500.. => "500",
            _ => NO_ERROR,
        }
    }
}

/// The value of the label for a method.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => OTHER,
    }
}

impl<S> Layer<S> for HttpMetrics {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Measured<S> {
        Measured { inner, metrics: self.clone() }
    }
}

/// A service whose requests are measured.
#[derive(Debug, Clone)]
pub struct Measured<S> {
    inner: S,
    metrics: HttpMetrics,
}

/// Whether a request reached the handler of a declared method.
#[derive(Debug, Clone, Default)]
struct Reached(Arc<AtomicBool>);

impl<S, B, R> Service<Request<B>> for Measured<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = MeasuredFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let reached = Reached::default();
        request.extensions_mut().insert(reached.clone());
        let measurement = Measurement::start(Arc::clone(&self.metrics.shared), &request, reached);
        MeasuredFuture { response: self.inner.call(request), measurement }
    }
}

pin_project! {
    /// The response to a request that is measured.
    pub struct MeasuredFuture<F> {
        #[pin]
        response: F,
        measurement: Measurement,
    }
}

impl<F, R, E> Future for MeasuredFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let response = ready!(this.response.poll(cx));
        if let Ok(response) = &response {
            this.measurement.record(response.status().as_u16());
        }
        Poll::Ready(response)
    }
}

/// A request that waits for the head of its response. Dropping it ends the wait, whatever came of it.
struct Measurement {
    shared: Arc<Shared>,
    started: Instant,
    method: &'static str,
    route: Option<MatchedPath>,
    reached: Reached,
}

impl Measurement {
    fn start<B>(shared: Arc<Shared>, request: &Request<B>, reached: Reached) -> Self {
        shared.active.increment(1);
        let route = request.extensions().get::<MatchedPath>().cloned();
        Self { shared, started: Instant::now(), method: method_label(request.method()), route, reached }
    }

    fn record(&self, status: u16) {
        // The handlers of GET answer HEAD too, which no route declares.
        let declared = self.method != OTHER && self.reached.0.load(Ordering::Relaxed);
        let route = self.route.as_ref().filter(|_| declared).map_or(NO_ROUTE, MatchedPath::as_str);
        let answer = Answer { method: self.method, status };
        self.shared.record(route, answer, self.started.elapsed().as_secs_f64());
    }
}

impl Drop for Measurement {
    fn drop(&mut self) {
        self.shared.active.decrement(1);
    }
}

/// Lets requests that reach the handlers of these routes be measured by their route. What is refused outside of it,
/// or because of its method or for lack of a valid token or session, is measured without one.
pub fn label_routes<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes.route_layer(RouteLabels)
}

/// The layer of [`label_routes`].
#[derive(Debug, Clone, Copy)]
pub struct RouteLabels;

impl<S> Layer<S> for RouteLabels {
    type Service = Labelled<S>;

    fn layer(&self, inner: S) -> Labelled<S> {
        Labelled(inner)
    }
}

/// Routes that note which requests reach their handlers.
#[derive(Debug, Clone)]
pub struct Labelled<S>(S);

impl<S, B, R> Service<Request<B>> for Labelled<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = LabelledFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let reached = request.extensions().get::<Reached>().cloned();
        if let Some(Reached(reached)) = &reached {
            // Before the handler is asked: it may never answer.
            reached.store(true, Ordering::Relaxed);
        }
        LabelledFuture { response: self.0.call(request), reached }
    }
}

pin_project! {
    /// The response of routes that note which requests reach their handlers.
    pub struct LabelledFuture<F> {
        #[pin]
        response: F,
        reached: Option<Reached>,
    }
}

impl<F, R, E> Future for LabelledFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let response = ready!(this.response.poll(cx));
        if let (Ok(response), Some(Reached(reached))) = (&response, this.reached)
            && matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::METHOD_NOT_ALLOWED)
        {
            reached.store(false, Ordering::Relaxed);
        }
        Poll::Ready(response)
    }
}
