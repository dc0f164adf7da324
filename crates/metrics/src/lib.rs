//! Every metric of the service, and the task that collects them.
//!
//! * [`CATALOGUE`] declares each metric once. All metrics are registered through it, and the help texts, the
//!   reference in `docs/metrics.md` and the tests are derived from it.
//! * [`MetricsTask`] follows the bus and counts the events that this process committed. It also answers the
//!   scrapes, one group of waiting scrapes at a time. While it does, it applies only the events that belong
//!   to the scrape. So each scrape is one consistent snapshot: the counters, and the number of rows in the
//!   database at the same event.
//!
//! What belongs here: names, help texts, handles, and the ordering of a scrape. What does not: any database,
//! HTTP or text format. The database is read through [`Source`], and the figures of other crates come in as
//! [`Readings`].

mod catalogue;
mod documentation;
mod follower;
mod instruments;
mod metric;
mod reading;
mod scrape;
mod task;

pub use catalogue::{
    BACKUP_LAST_SUCCESS, BUILD_INFO, BUS_CAPACITY, BUS_HEAD, BUS_PUBLISHED, BUS_QUEUED, CATALOGUE,
    COLLECTOR_SUCCESS, COMPONENTS, COMPONENTS_COUNT_DRIFT, COMPONENTS_CREATED, COMPONENTS_DELETED,
    COMPONENTS_TOTAL, COMPONENTS_UPDATED, DATABASE_READ_CONNECTIONS, DATABASE_READ_CONNECTIONS_MAX,
    EVENT_STREAMS, HTTP_ACTIVE_REQUESTS, HTTP_RATE_LIMITED, HTTP_REQUEST_DURATION, HTTP_REQUESTS, LOG_HEAD,
    METRICS_BARRIER_TIMEOUTS, METRICS_SCRAPE_DURATION, METRICS_SCRAPES, PROCESS_CPU_SECONDS, PROCESS_MAX_FDS,
    PROCESS_OPEN_FDS, PROCESS_RESIDENT_MEMORY, PROCESS_START_TIME, PROCESS_THREADS, PROCESS_VIRTUAL_MEMORY,
    SIGN_INS_REFUSED, SUBSCRIBER_EVENTS, SUBSCRIBER_LAG, SUBSCRIBER_LOG_READS, SUBSCRIBER_RETRIES,
    TAILER_HALTED, WRITER_EVENTS, WRITER_RETRIES, WRITER_TRANSACTIONS, WRITER_WAITING, WRITER_WRITES,
};
pub use documentation::documentation;
pub use metric::{Kind, Label, Metric, Provenance, Values};
pub use reading::{Build, Pool, Readings, Snapshot, Writer};
pub use scrape::{MAX_BARRIER, Scraper, Stopped};
pub use task::{MetricsTask, Source, SourceError, metrics};

/// The name under which the metrics task follows the bus.
pub const SUBSCRIBER: &str = "metrics";
