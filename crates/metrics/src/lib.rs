//! Every metric of the service: what it is called and means, and the task that keeps it true.
//!
//! * [`CATALOGUE`] declares each metric once. Nothing is registered but through it, and the help texts, the
//!   reference in `docs/metrics.md` and the tests derive from it.
//! * [`MetricsTask`] follows the bus and counts what this process committed. It also answers the scrapes, one
//!   flight at a time, and while it does it applies no event but those that belong to the scrape. So each
//!   scrape is one moment: the counters, and the number of rows in the database at the same event.
//!
//! What belongs here: names, meanings, handles, the order of things in a scrape. What does not: any database,
//! any HTTP, any text format. Those come in through [`Source`], and the figures of others as [`Readings`].

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
pub use reading::{Pool, Readings, Snapshot, Writer};
pub use scrape::{MAX_BARRIER, Scraper, Stopped};
pub use task::{Build, MetricsTask, Source, SourceError, metrics};

/// The name under which the metrics task follows the bus.
pub const SUBSCRIBER: &str = "metrics";
