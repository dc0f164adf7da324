//! Requests by route template, method and status: how long until the head of the response, and how many wait
//! for it now. An event stream counts until its head, too: how long it then stays open is no latency.
//!
//! A request whose client hangs up before there is a response leaves the gauge and is not in the histogram:
//! it has no status.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    task::{Context, Poll, ready},
    time::Instant,
};

use axum::{
    extract::MatchedPath,
    http::{Method, Request, Response},
};
use inventory_metrics::{HTTP_ACTIVE_REQUESTS, HTTP_RATE_LIMITED, HTTP_REQUEST_DURATION};
use metrics::{Counter, Gauge, Histogram, Recorder};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::rate_limit::Limit;

/// Combinations of route, method and status that get a series of their own. Further ones share those without
/// a route. A client reaches 10 methods on every route, each with few answers, so this is never met in
/// practice; it is what a scrape can grow to.
const MAX_SERIES: usize = 1000;

/// The method of what is none of the known ones, as OpenTelemetry names it.
const OTHER_METHOD: &str = "_OTHER";

/// The route of what matched none.
const NO_ROUTE: &str = "";

/// Measures every request to the router that it is put around with [`axum::Router::layer`].
#[derive(Clone)]
pub(crate) struct HttpMetrics {
    shared: Arc<Shared>,
}

struct Shared {
    recorder: Arc<dyn Recorder + Send + Sync>,
    active: Gauge,
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
    pub(crate) fn new(recorder: Arc<dyn Recorder + Send + Sync>) -> Self {
        let active = HTTP_ACTIVE_REQUESTS.gauge(&*recorder, &[]);
        let refused = Limit::ALL.map(|limit| (limit, HTTP_RATE_LIMITED.counter(&*recorder, &[limit.name()])));
        Self { shared: Arc::new(Shared { recorder, active, durations: RwLock::default(), refused }) }
    }

    /// A request met a limit.
    pub(crate) fn refused(&self, limit: Limit) {
        for (_, counter) in self.shared.refused.iter().filter(|(known, _)| *known == limit) {
            counter.increment(1);
        }
    }
}

impl Shared {
    fn record(&self, route: &str, answer: Answer, seconds: f64) {
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
            return self.find_or_register(recorder, NO_ROUTE, Answer { method: OTHER_METHOD, ..answer });
        }
        let Answer { method, status } = answer;
        let duration = HTTP_REQUEST_DURATION.histogram(recorder, &[method, route, &status.to_string()]);
        self.by_route.entry(route.into()).or_default().push((answer, duration.clone()));
        self.series += 1;
        duration
    }
}

/// The method, where it is one of those that the catalogue knows.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::PUT => "PUT",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => OTHER_METHOD,
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
pub(crate) struct Measured<S> {
    inner: S,
    metrics: HttpMetrics,
}

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

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let measurement = Measurement::start(Arc::clone(&self.metrics.shared), &request);
        MeasuredFuture { response: self.inner.call(request), measurement }
    }
}

pin_project! {
    /// The response to a request that is measured.
    pub(crate) struct MeasuredFuture<F> {
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
}

impl Measurement {
    fn start<B>(shared: Arc<Shared>, request: &Request<B>) -> Self {
        shared.active.increment(1);
        let route = request.extensions().get::<MatchedPath>().cloned();
        Self { shared, started: Instant::now(), method: known(request.method()), route }
    }

    fn record(&self, status: u16) {
        let route = self.route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
        let answer = Answer { method: self.method, status };
        self.shared.record(route, answer, self.started.elapsed().as_secs_f64());
    }
}

impl Drop for Measurement {
    fn drop(&mut self) {
        self.shared.active.decrement(1);
    }
}
