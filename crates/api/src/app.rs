//! The service as a value: what its handlers share, and its routes.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{FromRef, Request},
    http::{HeaderMap, Method, StatusCode, Uri, Version, header, uri::PathAndQuery},
    middleware,
};
use inventory_metrics::Build;
use inventory_store::{ReadError, Store};
use tower::ServiceExt;
use tower_http::compression::{
    CompressionLayer, Predicate,
    predicate::{NotForContentType, SizeAbove},
};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    body::BodyBudget,
    client::TrustedProxies,
    components, docs,
    edge::{DEFAULT_BODY_TIMEOUT, Edge, edge},
    events::{self, Streams},
    health::{self, Readiness},
    http_metrics::RouteLabels,
    kind::Kind,
    metrics_access::MetricsAccess,
    openapi,
    problem::Problem,
    rate_limit::Limits,
    scrape::Metrics,
};

/// How many event streams a process has open at once, unless it is told otherwise.
pub const DEFAULT_MAX_EVENT_STREAMS: usize = 256;

/// Answers that are shorter than this, in bytes, are sent as they are: compression would not make them fewer
/// packets.
const MIN_COMPRESSED_BYTES: u64 = 1400;

/// How the service behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who may read `/metrics/` on the main listener.
    pub metrics_access: MetricsAccess,
    /// How many event streams may be open at once. One token may have a quarter of them.
    pub max_event_streams: usize,
    /// Whose word is taken on who sent a request.
    pub trusted_proxies: TrustedProxies,
    /// How many requests a second are answered to one token, and without a good token to one address: twice as
    /// many at once, and without a number as many as come. How fast an address may send wrong tokens is
    /// limited anyway.
    pub rate_limit: Option<NonZeroU32>,
    /// How long the body of a request may take to come.
    pub body_timeout: Duration,
}

impl Default for Options {
    /// Metrics for everyone who can connect, [`DEFAULT_MAX_EVENT_STREAMS`], no proxy, as many requests
    /// as come, and [`DEFAULT_BODY_TIMEOUT`].
    fn default() -> Self {
        Self {
            metrics_access: MetricsAccess::Open,
            max_event_streams: DEFAULT_MAX_EVENT_STREAMS,
            trusted_proxies: TrustedProxies::default(),
            rate_limit: None,
            body_timeout: DEFAULT_BODY_TIMEOUT,
        }
    }
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database does not answer.
    #[error("the service cannot start: {0}")]
    Database(#[from] ReadError),
}

/// The service over a store. Clones are the same service.
#[derive(Clone)]
pub struct App {
    state: AppState,
    metrics: Metrics,
    metrics_access: MetricsAccess,
    edge: Arc<Edge>,
    limits: Arc<Limits>,
}

/// What the handlers share. It is cloned for each request, so each field is one pointer.
#[derive(Debug, Clone, FromRef)]
pub(crate) struct AppState {
    store: Store,
    streams: Arc<Streams>,
    readiness: Readiness,
    bodies: Arc<BodyBudget>,
}

impl App {
    /// Starts what the service does beside answering requests, after a look whether the database answers. It
    /// ends when the store is closed.
    pub async fn start(store: Store, options: Options) -> Result<Self, StartError> {
        let Options { metrics_access, max_event_streams, trusted_proxies, rate_limit, body_timeout } =
            options;
        store.ping().await?;
        let streams = Arc::new(Streams::new(max_event_streams, store.epoch()));
        let build = Build { version: env!("CARGO_PKG_VERSION"), revision: option_env!("INVENTORY_REVISION") };
        let open = Arc::clone(&streams);
        let (metrics, task) = Metrics::new(&store, &build, store.bus().head(), move || open.count() as u64);
        store.core_tasks().spawn("metrics", task);
        let limits = Arc::new(Limits::new(rate_limit, store.clone(), metrics.layer()));
        let edge = Arc::new(Edge { trusted_proxies, body_timeout, limits: Some(Arc::clone(&limits)) });
        let state = AppState { store, streams, readiness: Readiness::default(), bodies: Arc::default() };
        Ok(Self { state, metrics, metrics_access, edge, limits })
    }

    /// Everything that the service answers.
    pub fn router(&self) -> Router {
        self.router_with(Router::new())
    }

    /// The same with pages beside it, such as those of the web admin. What fails there is theirs to tell, as HTML, and
    /// [`label_routes`](crate::label_routes) is around those that have a route in the metrics.
    pub fn router_with(&self, pages: Router) -> Router {
        let (routes, document) = routes().split_for_parts();
        let compression = CompressionLayer::new().compress_when(compressible());
        let routes = routes
            .merge(docs::pages(&openapi::complete(document)))
            // Both at once: each call of `layer` has its own box around every request.
            .layer((compression.clone(), RouteLabels))
            .merge(pages.with_state(()).layer(compression))
            .merge(self.metrics.router(self.metrics_access.clone(), Arc::clone(&self.limits)));
        self.framed(routes.with_state(self.state.clone()))
    }

    /// The metrics alone, for a listener of their own: for whoever has the token where there is one, and else
    /// for everyone who can connect, on a loopback address under a name of this machine.
    pub fn metrics_router(&self, on_loopback: bool) -> Router {
        let access = match &self.metrics_access {
            same @ (MetricsAccess::Token(_) | MetricsAccess::Open) => same.clone(),
            MetricsAccess::Loopback | MetricsAccess::Closed if on_loopback => MetricsAccess::Loopback,
            MetricsAccess::Loopback | MetricsAccess::Closed => MetricsAccess::Open,
        };
        self.framed(self.metrics.router(access, Arc::clone(&self.limits)))
    }

    /// Ends the event streams, each at the next moment that it is polled, and those that are yet to begin.
    pub fn stop_streams(&self) {
        self.state.streams.stop();
    }

    /// Tells whoever asks for `/readyz` that the service is on its way down.
    pub fn set_stopping(&self) {
        self.state.readiness.stop();
    }

    /// Routes with what is around all of them.
    fn framed(&self, routes: Router) -> Router {
        let framed = routes
            .fallback(not_found)
            .method_not_allowed_fallback(method_not_allowed)
            .layer((self.metrics.layer(), middleware::from_fn_with_state(Arc::clone(&self.edge), edge)));
        // A path with a slash at its end that is no route of its own is the same path without it. This comes
        // last and once, so that the paths as they are documented cost nothing more.
        let without_slash = framed.clone();
        framed.fallback(move |request: Request| without_slash.oneshot(trimmed(request)))
    }
}

/// The routes that the OpenAPI document tells of.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::preamble())
        .merge(components::router())
        .merge(events::router())
        .merge(health::router())
        .merge(docs::router())
}

async fn not_found(uri: Uri) -> Problem {
    Problem::new(Kind::NotFound, format!("there is nothing at {}", uri.path()))
}

async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    Problem::new(Kind::MethodNotAllowed, format!("{} does not take {method}", uri.path()))
}

/// What is worth compressing. A stream would wait in the compressor, and a strong entity tag names these very
/// bytes (RFC 9110 §8.8.1), so what carries one is sent as it is.
fn compressible() -> impl Predicate {
    let untagged = |_: StatusCode, _: Version, headers: &HeaderMap, _: &axum::http::Extensions| {
        !headers.contains_key(header::ETAG)
    };
    SizeAbove::new(MIN_COMPRESSED_BYTES).and(NotForContentType::SSE).and(untagged)
}

/// A request without the slash at the end of its path.
fn trimmed(mut request: Request) -> Request {
    let uri = request.uri();
    let Some(path) = uri.path().strip_suffix('/').filter(|path| !path.is_empty()) else { return request };
    let path = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    // Cannot fail: it is the path as it was, but one character.
    parts.path_and_query = path.parse::<PathAndQuery>().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}
