//! `GET /metrics/` and `GET /metrics`: how they are asked for and sent.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{
        HeaderMap,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use inventory_core::Seq;
use inventory_http::{Client, HttpMetrics, Problem, ProblemType, RateLimits, RouteLabels};
use inventory_metrics::{Build, Pool, Readings, Scraper, Snapshot, Source, SourceError, Writer};
use inventory_store::Store;
use tower_http::{CompressionLevel, compression::CompressionLayer};

use crate::{access::MetricsAccess, exposition::Exposition, process::Process};

/// The Prometheus text format, which every version of Prometheus takes, whatever else it would rather have.
const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// In which Prometheus says how many seconds it waits.
const SCRAPE_TIMEOUT: &str = "x-prometheus-scrape-timeout-seconds";

/// The longest time that a scraper may say it waits, in seconds. What is more is not believed.
const MAX_SCRAPE_TIMEOUT_SECONDS: f64 = 3600.0;

/// The metrics of a service. Clones are the same.
#[derive(Debug, Clone)]
pub struct Exporter {
    scraper: Scraper<Bytes>,
    http: HttpMetrics,
}

impl Exporter {
    /// The metrics of a store, and the task that keeps them until the store closes its bus. It counts what
    /// this process commits after the place `after`. `event_streams` says how many clients have one open.
    pub fn new(
        store: &Store,
        build: &Build,
        after: Seq,
        event_streams: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let exposition = Arc::new(Exposition::new());
        let process = Process::register(&exposition);
        let http = HttpMetrics::new(exposition.clone());
        let source = StoreSource {
            store: store.clone(),
            exposition: exposition.clone(),
            process,
            event_streams: Box::new(event_streams),
        };
        let (scraper, task) =
            inventory_metrics::metrics(exposition.clone(), build, store.bus(), store.origin(), after, source);
        (Self { scraper, http }, task.run())
    }

    /// Measures the requests to the router that it is put around with [`Router::layer`].
    pub fn http_metrics(&self) -> HttpMetrics {
        self.http.clone()
    }

    /// `/metrics/` and `/metrics`, for a listener.
    pub fn router<S: Clone + Send + Sync + 'static>(
        &self,
        access: MetricsAccess,
        limits: Arc<RateLimits>,
    ) -> Router<S> {
        let endpoint = Endpoint { scraper: self.scraper.clone(), access, limits };
        let routes = Router::new().route("/metrics/", get(scrape)).route("/metrics", get(scrape));
        let compression = CompressionLayer::new().quality(CompressionLevel::Fastest);
        // Both at once: each call of `layer` has its own box around every request.
        routes.layer((compression, RouteLabels)).with_state(endpoint)
    }
}

/// What the handler knows.
#[derive(Clone)]
struct Endpoint {
    scraper: Scraper<Bytes>,
    access: MetricsAccess,
    limits: Arc<RateLimits>,
}

async fn scrape(
    State(Endpoint { scraper, access, limits }): State<Endpoint>,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    access.check(&headers, client, &limits).await?;
    let text = scraper.scrape(timeout(&headers)).await;
    let text = text.map_err(|stopped| Problem::new(ProblemType::Busy, stopped.to_string()))?;
    Ok(([(CONTENT_TYPE, MEDIA_TYPE), (CACHE_CONTROL, "no-store")], text).into_response())
}

/// How long the scraper waits, where it says so.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get(SCRAPE_TIMEOUT)?.to_str().ok()?.trim().parse().ok()?;
    (seconds > 0.0).then(|| Duration::from_secs_f64(seconds.min(MAX_SCRAPE_TIMEOUT_SECONDS)))
}

/// What the metrics task asks of the store.
struct StoreSource {
    store: Store,
    exposition: Arc<Exposition>,
    process: Option<Process>,
    event_streams: Box<dyn Fn() -> u64 + Send + Sync>,
}

impl Source for StoreSource {
    type Text = Bytes;

    async fn snapshot(&self) -> Result<Snapshot, SourceError> {
        let inventory_store::Snapshot { components, head, own } = self.store.snapshot().await?;
        Ok(Snapshot { components, head, own })
    }

    fn readings(&self) -> Readings {
        let inventory_store::Stats {
            transactions,
            retries,
            writes_done,
            writes_refused,
            writes_failed,
            writes_waiting,
            events_committed,
            sign_ins_refused,
            tailer_halted,
            count_drift,
            last_backup,
            readers_open,
            readers_idle,
            readers_max,
        } = self.store.stats();
        Readings {
            writer: Writer {
                transactions,
                retries,
                done: writes_done,
                refused: writes_refused,
                failed: writes_failed,
                waiting: writes_waiting,
                events: events_committed,
            },
            sign_ins_refused,
            readers: Pool { open: readers_open, idle: readers_idle, max: readers_max },
            tailer_halted,
            count_drift,
            last_backup,
            event_streams: (self.event_streams)(),
        }
    }

    fn render(&self) -> Bytes {
        if let Some(process) = &self.process {
            process.read();
        }
        self.exposition.render().into()
    }
}
