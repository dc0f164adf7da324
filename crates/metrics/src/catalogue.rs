//! Every metric of the service, declared once.

use crate::metric::{
    Kind::{Counter, Gauge, Histogram},
    Label, Metric,
    Provenance::{Database, Events, Figures, Process},
    Values::{Described, OneOf},
};

/// Upper bounds of request durations in seconds: those that the OpenTelemetry semantic conventions advise, and four
/// below 5 ms, where most requests are.
const REQUEST_BUCKETS: &[f64] = &[
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0,
    7.5, 10.0,
];

/// Upper bounds of scrape durations in seconds: from what a scrape should take to the longest barrier.
const SCRAPE_BUCKETS: &[f64] = &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.05, 0.25];

const BUILD: &[Label] = &[
    Label { name: "version", values: Described("the version of the binary") },
    Label { name: "revision", values: Described("the commit that it was built from, or `unknown`") },
];
const COLLECTOR: &[Label] = &[Label { name: "collector", values: OneOf(&["database"]) }];
const STATE: &[Label] = &[Label { name: "state", values: OneOf(&["idle", "used"]) }];
const NAMED: Label =
    Label { name: "subscriber", values: Described("the name of a subscriber in this binary") };
const SUBSCRIBER: &[Label] = &[NAMED];
const DELIVERY: &[Label] = &[NAMED, Label { name: "outcome", values: OneOf(&["handled", "given_up"]) }];
const WRITE: &[Label] = &[Label { name: "outcome", values: OneOf(&["done", "refused", "failed"]) }];

// The labels of HTTP requests have the names of the attributes in the OpenTelemetry semantic conventions. `""` is
// the absence of a label.
const METHOD: Label =
    Label { name: "http_request_method", values: OneOf(&["DELETE", "GET", "PATCH", "POST", "_OTHER"]) };
const ERROR_TYPE: Label = Label { name: "error_type", values: OneOf(&["", "500", "503"]) };
const REQUEST: &[Label] = &[
    METHOD,
    Label {
        name: "http_route",
        values: Described(
            "the route template whose handler answered; absent if none did, and for a method that the route \
             does not declare",
        ),
    },
    Label { name: "http_response_status_code", values: Described("the status code of the response") },
    ERROR_TYPE,
];
const REQUESTS: &[Label] = &[METHOD, ERROR_TYPE];

const LIMIT: &[Label] = &[Label { name: "limit", values: OneOf(&["address", "guesses", "token"]) }];

macro_rules! catalogue {
    ($($constant:ident = $kind:expr, $name:literal, $unit:literal, $labels:expr, $provenance:expr, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: Metric = Metric {
                name: $name,
                kind: $kind,
                unit: $unit,
                labels: $labels,
                provenance: $provenance,
                help: $help,
            };
        )*

        /// Every metric, in the order of the reference.
        pub const CATALOGUE: &[Metric] = &[$($constant),*];
    };
}

// The first three names and help texts are those of the system that this one replaces. They do not change.
catalogue! {
    COMPONENTS_CREATED = Counter, "inventory_components_created_total", "components", &[], Events,
        "Total number of components created";
    COMPONENTS_DELETED = Counter, "inventory_components_deleted_total", "components", &[], Events,
        "Total number of components deleted";
    COMPONENTS_TOTAL = Gauge, "inventory_components_total", "components", &[], Database,
        "Current total number of components in inventory";
    COMPONENTS = Gauge, "inventory_components", "components", &[], Database,
        "Current number of components in inventory, under a name that promtool accepts for a gauge";
    COMPONENTS_UPDATED = Counter, "inventory_components_updated_total", "components", &[], Events,
        "Total number of components updated";
    COMPONENTS_COUNT_DRIFT = Gauge, "inventory_components_count_drift", "components", &[], Figures,
        "The stored count of components minus the rows that the last audit counted: 0 when healthy";
    BACKUP_LAST_SUCCESS = Gauge, "inventory_backup_last_success_timestamp_seconds", "seconds", &[], Figures,
        "When `inventory backup` last succeeded, in seconds since 1970; 0 if never";
    BUILD_INFO = Gauge, "inventory_build_info", "1", BUILD, Process,
        "The version and revision of the running binary, as labels; always 1";

    LOG_HEAD = Gauge, "inventory_log_head_seq", "events", &[], Database,
        "Position of the last event in the log";
    BUS_HEAD = Gauge, "inventory_bus_head_seq", "events", &[], Figures,
        "Position of the last event that was published on the bus of this process";
    BUS_PUBLISHED = Counter, "inventory_bus_events_published_total", "events", &[], Figures,
        "Total number of events published on the bus of this process, including those of other processes";
    BUS_QUEUED = Gauge, "inventory_bus_queued_events", "events", &[], Figures,
        "Events in the channel of the bus, which keeps the newest; a subscriber reads older ones from the \
         log";
    BUS_CAPACITY = Gauge, "inventory_bus_capacity_events", "events", &[], Figures,
        "Maximum number of events in the channel of the bus";
    SUBSCRIBER_LAG = Gauge, "inventory_subscriber_lag_events", "events", SUBSCRIBER, Figures,
        "Published events that a subscriber has not taken yet; 0 without a subscription; if several share a \
         name, the lag of the one that took an event last";
    SUBSCRIBER_EVENTS = Counter, "inventory_subscriber_events_total", "events", DELIVERY, Figures,
        "Total number of events that a subscriber handled, or gave up after the last attempt";
    SUBSCRIBER_RETRIES = Counter, "inventory_subscriber_retries_total", "attempts", SUBSCRIBER, Figures,
        "Total number of retries of a subscriber";
    SUBSCRIBER_LOG_READS = Counter, "inventory_subscriber_events_read_from_log_total", "events", SUBSCRIBER, Figures,
        "Total number of events that a subscriber read from the log because the bus no longer had them";
    EVENT_STREAMS = Gauge, "inventory_event_streams", "streams", &[], Figures,
        "Number of open event streams";

    WRITER_TRANSACTIONS = Counter, "inventory_writer_transactions_total", "transactions", &[], Figures,
        "Total number of transactions that the writer committed";
    WRITER_RETRIES = Counter, "inventory_writer_retries_total", "transactions", &[], Figures,
        "Total number of transactions that the writer rolled back and retried";
    WRITER_WRITES = Counter, "inventory_writer_writes_total", "writes", WRITE, Figures,
        "Total number of writes: done, refused because of a conflict, or failed because of the database";
    WRITER_WAITING = Gauge, "inventory_writer_waiting_writes", "writes", &[], Figures,
        "Number of writes that are waiting for the writer";
    WRITER_EVENTS = Counter, "inventory_writer_events_total", "events", &[], Figures,
        "Total number of events that this process committed, of any type";
    SIGN_INS_REFUSED = Counter, "inventory_sign_ins_refused_total", "sign-ins", &[], Figures,
        "Total number of sign-ins that this process refused because of the name or the password, including \
         those without an event";
    DATABASE_READ_CONNECTIONS = Gauge, "inventory_database_read_connections", "connections", STATE, Figures,
        "Number of open database connections for reads";
    DATABASE_READ_CONNECTIONS_MAX = Gauge, "inventory_database_read_connections_max", "connections", &[], Figures,
        "Maximum number of open database connections for reads";
    TAILER_HALTED = Gauge, "inventory_tailer_halted", "1", &[], Figures,
        "1 when this process stopped following the log because the log is broken, else 0";

    COLLECTOR_SUCCESS = Gauge, "inventory_collector_success", "1", COLLECTOR, Process,
        "1 when the collector succeeded at this scrape; 0 when it failed, and its values are NaN";
    METRICS_BARRIER_TIMEOUTS = Counter, "inventory_metrics_barrier_timeouts_total", "scrapes", &[], Process,
        "Total number of scrapes answered before every event of this process was counted; the gauge of \
         components is NaN in these";
    METRICS_SCRAPES = Counter, "inventory_metrics_scrapes_total", "scrapes", &[], Process,
        "Total number of scrapes answered before this one";
    METRICS_SCRAPE_DURATION = Histogram(SCRAPE_BUCKETS), "inventory_metrics_scrape_duration_seconds", "seconds", &[], Process,
        "Time to render a scrape; scrapes that waited together count once";

    HTTP_REQUEST_DURATION = Histogram(REQUEST_BUCKETS), "http_server_request_duration_seconds", "seconds", REQUEST, Process,
        "Duration of HTTP requests, from the request to the head of the response";
    HTTP_REQUESTS = Counter, "inventory_http_requests_total", "requests", REQUESTS, Process,
        "Total number of HTTP requests answered; every series exists from the start; an error is a response \
         with a 5xx status, except from /readyz";
    HTTP_ACTIVE_REQUESTS = Gauge, "http_server_active_requests", "requests", &[], Process,
        "Number of HTTP requests that are waiting for the head of their response";
    HTTP_RATE_LIMITED = Counter, "inventory_http_rate_limited_total", "requests", LIMIT, Process,
        "Total number of HTTP requests refused by a rate limit: for one token, for one address without a \
         valid token, or for invalid tokens from one address (guesses)";

    PROCESS_CPU_SECONDS = Counter, "process_cpu_seconds_total", "seconds", &[], Figures,
        "Total user and system CPU time spent in seconds.";
    PROCESS_MAX_FDS = Gauge, "process_max_fds", "file descriptors", &[], Figures,
        "Maximum number of open file descriptors.";
    PROCESS_OPEN_FDS = Gauge, "process_open_fds", "file descriptors", &[], Figures,
        "Number of open file descriptors.";
    PROCESS_RESIDENT_MEMORY = Gauge, "process_resident_memory_bytes", "bytes", &[], Figures,
        "Resident memory size in bytes.";
    PROCESS_START_TIME = Gauge, "process_start_time_seconds", "seconds", &[], Figures,
        "Start time of the process since unix epoch in seconds.";
    PROCESS_THREADS = Gauge, "process_threads", "threads", &[], Figures,
        "Number of OS threads in the process.";
    PROCESS_VIRTUAL_MEMORY = Gauge, "process_virtual_memory_bytes", "bytes", &[], Figures,
        "Virtual memory size in bytes.";
}
