//! The assembly of the service: the routes of the API, of the web admin and of the metrics, and the layers around them.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use axum::{
    Router,
    http::{Extensions, HeaderMap, StatusCode, Version, header},
};
use inventory_admin::Admin;
use inventory_api::DEFAULT_MAX_EVENT_STREAMS;
use inventory_exporter::{Exporter, MetricsAccess};
use inventory_http::{DEFAULT_BODY_TIMEOUT, Layers, RateLimits, RouteLabels, TrustedProxies};
use inventory_metrics::Build;
use inventory_store::{ReadError, Store};
use tower_http::compression::{
    CompressionLayer, Predicate,
    predicate::{NotForContentType, SizeAbove},
};
use utoipa::openapi::OpenApi;

use crate::{state::AppState, subscribers};

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
#[derive(Debug, Clone)]
pub struct App {
    state: AppState,
    admin: Admin,
    exporter: Exporter,
    metrics_access: MetricsAccess,
    rate_limits: Arc<RateLimits>,
    layers: Layers,
}

impl App {
    /// Starts what the service does beside answering requests, after a look whether the database answers. It
    /// ends when the store is closed.
    pub async fn start(store: Store, options: Options) -> Result<Self, StartError> {
        let Options { metrics_access, max_event_streams, trusted_proxies, rate_limit, body_timeout } =
            options;
        store.ping().await?;
        let state = AppState::new(store.clone(), max_event_streams);
        let streams = Arc::clone(&state.streams);
        let build = Build { version: env!("CARGO_PKG_VERSION"), revision: option_env!("INVENTORY_REVISION") };
        let (exporter, task) =
            Exporter::new(&store, &build, store.bus().head(), move || streams.count() as u64);
        store.core_tasks().spawn("metrics", task);
        let metrics = exporter.http_metrics();
        let rate_limits = Arc::new(RateLimits::new(rate_limit, store.clone(), metrics.clone()));
        let layers = Layers::new(metrics, trusted_proxies, body_timeout, Some(Arc::clone(&rate_limits)));
        let admin = Admin::new(store.clone());
        subscribers::start(&store, &admin);
        Ok(Self { state, admin, exporter, metrics_access, rate_limits, layers })
    }

    /// Everything that the service answers.
    pub fn router(&self) -> Router {
        let compression = CompressionLayer::new().compress_when(compressible());
        let (api, _document) = inventory_api::router::<AppState>();
        // Both at once: each call of `layer` has its own box around every request.
        let api = api.layer((compression.clone(), RouteLabels)).with_state(self.state.clone());
        let admin = self.admin.router().layer(compression);
        let metrics = self.exporter.router(self.metrics_access.clone(), Arc::clone(&self.rate_limits));
        self.layers.around(api.merge(admin).merge(metrics))
    }

    /// The metrics alone, for a separate listener. If there is a token, requests need it. Otherwise everyone
    /// who can connect may read them; on a loopback address the `Host` must name this machine.
    pub fn metrics_router(&self, on_loopback: bool) -> Router {
        let access = match &self.metrics_access {
            same @ (MetricsAccess::Token(_) | MetricsAccess::Open) => same.clone(),
            MetricsAccess::Loopback | MetricsAccess::Closed if on_loopback => MetricsAccess::Loopback,
            MetricsAccess::Loopback | MetricsAccess::Closed => MetricsAccess::Open,
        };
        self.layers.around(self.exporter.router(access, Arc::clone(&self.rate_limits)))
    }

    /// Ends the event streams and those of open pages, each when it is next polled, and refuses new ones.
    /// Exports are broken off.
    pub fn stop_streams(&self) {
        self.state.streams.stop();
        self.admin.stop_streams();
    }

    /// Makes `/readyz` fail, because the service is stopping.
    pub fn set_stopping(&self) {
        self.state.readiness.stop();
    }
}

/// The OpenAPI document of the API.
pub fn openapi() -> OpenApi {
    inventory_api::router::<AppState>().1
}

/// What is worth compressing. A stream would wait in the compressor, and a strong entity tag names these very
/// bytes (RFC 9110 §8.8.1), so what carries one is sent as it is.
fn compressible() -> impl Predicate {
    let untagged =
        |_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions| !headers.contains_key(header::ETAG);
    SizeAbove::new(MIN_COMPRESSED_BYTES).and(NotForContentType::SSE).and(untagged)
}
