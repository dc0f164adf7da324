//! `GET /metrics/` and `GET /metrics`: how they are asked for and sent.

use std::{
    io::Write,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{
        HeaderMap,
        header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use inventory_core::Seq;
use inventory_metrics::{Build, Pool, Readings, Scraper, Snapshot, Source, SourceError, Writer};
use inventory_store::Store;

use crate::{
    client::Client,
    exposition::Exposition,
    http_metrics::{HttpMetrics, label_routes},
    kind::Kind,
    metrics_access::MetricsAccess,
    problem::Problem,
    process::Process,
    rate_limit::Limits,
};

/// The Prometheus text format, which every version of Prometheus takes, whatever else it would rather have.
const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// In which Prometheus says how many seconds it waits.
const SCRAPE_TIMEOUT: &str = "x-prometheus-scrape-timeout-seconds";

/// The longest time that a scraper may say it waits, in seconds. What is more is not believed.
const MAX_SCRAPE_TIMEOUT_SECONDS: f64 = 3600.0;

/// The metrics of a service. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    scraper: Scraper<Arc<Page>>,
    http: HttpMetrics,
}

impl Metrics {
    /// The metrics of a store, and the task that keeps them until the store closes its bus. It counts what
    /// this process commits after the place `after`. `event_streams` says how many clients have one open.
    pub(crate) fn new(
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
    pub(crate) fn layer(&self) -> HttpMetrics {
        self.http.clone()
    }

    /// `/metrics/` and `/metrics`, for a listener.
    pub(crate) fn router<S: Clone + Send + Sync + 'static>(
        &self,
        access: MetricsAccess,
        limits: Arc<Limits>,
    ) -> Router<S> {
        let endpoint = Endpoint { scraper: self.scraper.clone(), access, limits };
        let routes = Router::new().route("/metrics/", get(scrape)).route("/metrics", get(scrape));
        label_routes(routes).with_state(endpoint)
    }
}

/// What the handler knows.
#[derive(Clone)]
struct Endpoint {
    scraper: Scraper<Arc<Page>>,
    access: MetricsAccess,
    limits: Arc<Limits>,
}

async fn scrape(
    State(Endpoint { scraper, access, limits }): State<Endpoint>,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    access.check(&headers, client, &limits).await?;
    let page = scraper.scrape(timeout(&headers)).await;
    let page = page.map_err(|stopped| Problem::new(Kind::Busy, stopped.to_string()))?;
    let common = [(CONTENT_TYPE, MEDIA_TYPE), (CACHE_CONTROL, "no-store"), (VARY, ACCEPT_ENCODING.as_str())];
    Ok(match takes_gzip(&headers).then(|| page.gzip()).flatten() {
        Some(gzip) => (common, [(CONTENT_ENCODING, "gzip")], gzip).into_response(),
        None => (common, page.plain.clone()).into_response(),
    })
}

/// How long the scraper waits, where it says so.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get(SCRAPE_TIMEOUT)?.to_str().ok()?.trim().parse().ok()?;
    (seconds > 0.0).then(|| Duration::from_secs_f64(seconds.min(MAX_SCRAPE_TIMEOUT_SECONDS)))
}

/// Whether `Accept-Encoding` names gzip and does not give it the weight zero.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let listed = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    listed.flat_map(|list| list.split(',')).any(|item| {
        let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
        let refused = parameters
            .split_once('=')
            .is_some_and(|(_, weight)| weight.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0));
        coding.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// One scrape as text, shared by all who asked for it together.
#[derive(Debug)]
pub(crate) struct Page {
    plain: Bytes,
    gzip: OnceLock<Option<Bytes>>,
}

impl Page {
    fn new(text: Vec<u8>) -> Self {
        Self { plain: text.into(), gzip: OnceLock::new() }
    }

    /// Compressed, once for all.
    fn gzip(&self) -> Option<Bytes> {
        let compress = || {
            let mut encoder = GzEncoder::new(Vec::with_capacity(self.plain.len() / 4), Compression::fast());
            // Writing to memory does not fail; if it did, the text would be sent as it is.
            encoder.write_all(&self.plain).ok()?;
            encoder.finish().ok().map(Bytes::from)
        };
        self.gzip.get_or_init(compress).clone()
    }
}

/// What the metrics task asks of the store.
struct StoreSource {
    store: Store,
    exposition: Arc<Exposition>,
    process: Option<Process>,
    event_streams: Box<dyn Fn() -> u64 + Send + Sync>,
}

impl Source for StoreSource {
    type Text = Arc<Page>;

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

    fn render(&self) -> Arc<Page> {
        if let Some(process) = &self.process {
            process.read();
        }
        Arc::new(Page::new(self.exposition.render()))
    }
}
