//! The handles, registered once, and how figures reach them.

use std::{collections::HashMap, sync::Arc};

use inventory_core::{BusStats, Event, Seq, SubscriberStats};
use metrics::{Counter, Gauge, Histogram, Recorder};

use crate::{
    SUBSCRIBER, catalogue as the,
    reading::{Build, Pool, Readings, Snapshot, Writer},
};

/// Counters of what this process committed.
#[derive(Debug)]
pub(crate) struct Counters {
    created: Counter,
    updated: Counter,
    deleted: Counter,
}

impl Counters {
    pub(crate) fn register(recorder: &dyn Recorder) -> Self {
        Self {
            created: the::COMPONENTS_CREATED.counter(recorder, &[]),
            updated: the::COMPONENTS_UPDATED.counter(recorder, &[]),
            deleted: the::COMPONENTS_DELETED.counter(recorder, &[]),
        }
    }

    pub(crate) fn count(&self, event: &Event) {
        match event {
            Event::ComponentCreated(_) => self.created.increment(1),
            Event::ComponentUpdated(_) => self.updated.increment(1),
            Event::ComponentDeleted(_) => self.deleted.increment(1),
            _ => {}
        }
    }
}

/// What is read from the database.
#[derive(Debug)]
pub(crate) struct DatabaseGauges {
    components_total: Gauge,
    components: Gauge,
    log_head: Gauge,
    success: Gauge,
}

impl DatabaseGauges {
    pub(crate) fn register(recorder: &dyn Recorder) -> Self {
        Self {
            components_total: the::COMPONENTS_TOTAL.gauge(recorder, &[]),
            components: the::COMPONENTS.gauge(recorder, &[]),
            log_head: the::LOG_HEAD.gauge(recorder, &[]),
            success: the::COLLECTOR_SUCCESS.gauge(recorder, &["database"]),
        }
    }

    /// The database answered, and the counters stand at the same moment.
    pub(crate) fn set(&self, snapshot: &Snapshot) {
        self.components_total.set(float(snapshot.components));
        self.components.set(float(snapshot.components));
        self.log_head.set(float(snapshot.head.0));
        self.success.set(1.0);
    }

    /// The database answered, but the counters stand at an earlier moment.
    pub(crate) fn set_ahead(&self, snapshot: &Snapshot) {
        self.components_total.set(f64::NAN);
        self.components.set(f64::NAN);
        self.log_head.set(float(snapshot.head.0));
        self.success.set(1.0);
    }

    /// The database did not answer.
    pub(crate) fn set_unknown(&self) {
        self.components_total.set(f64::NAN);
        self.components.set(f64::NAN);
        self.log_head.set(f64::NAN);
        self.success.set(0.0);
    }
}

/// What the metrics task observes of itself.
#[derive(Debug)]
pub(crate) struct ScrapeInstruments {
    pub(crate) barrier_timeouts: Counter,
    pub(crate) scrapes: Counter,
    pub(crate) duration: Histogram,
}

impl ScrapeInstruments {
    pub(crate) fn register(recorder: &dyn Recorder) -> Self {
        Self {
            barrier_timeouts: the::METRICS_BARRIER_TIMEOUTS.counter(recorder, &[]),
            scrapes: the::METRICS_SCRAPES.counter(recorder, &[]),
            duration: the::METRICS_SCRAPE_DURATION.histogram(recorder, &[]),
        }
    }
}

/// Running figures of the process, written at each scrape.
pub(crate) struct Figures {
    count_drift: Gauge,
    last_backup: Gauge,
    event_streams: Gauge,
    tailer_halted: Gauge,
    transactions: Counter,
    retries: Counter,
    done: Counter,
    refused: Counter,
    failed: Counter,
    waiting: Gauge,
    events: Counter,
    sign_ins_refused: Counter,
    readers_idle: Gauge,
    readers_used: Gauge,
    readers_max: Gauge,
    bus_head: Gauge,
    published: Counter,
    queued: Gauge,
    capacity: Gauge,
    subscribers: HashMap<&'static str, SubscriberFigures>,
    recorder: Arc<dyn Recorder + Send + Sync>,
}

struct SubscriberFigures {
    lag: Gauge,
    handled: Counter,
    given_up: Counter,
    retries: Counter,
    log_reads: Counter,
}

impl Figures {
    pub(crate) fn register(recorder: Arc<dyn Recorder + Send + Sync>, build: &Build) -> Self {
        let to = &*recorder;
        the::BUILD_INFO.gauge(to, &[build.version, build.revision.unwrap_or("unknown")]).set(1.0);
        Self {
            count_drift: the::COMPONENTS_COUNT_DRIFT.gauge(to, &[]),
            last_backup: the::BACKUP_LAST_SUCCESS.gauge(to, &[]),
            event_streams: the::EVENT_STREAMS.gauge(to, &[]),
            tailer_halted: the::TAILER_HALTED.gauge(to, &[]),
            transactions: the::WRITER_TRANSACTIONS.counter(to, &[]),
            retries: the::WRITER_RETRIES.counter(to, &[]),
            done: the::WRITER_WRITES.counter(to, &["done"]),
            refused: the::WRITER_WRITES.counter(to, &["refused"]),
            failed: the::WRITER_WRITES.counter(to, &["failed"]),
            waiting: the::WRITER_WAITING.gauge(to, &[]),
            events: the::WRITER_EVENTS.counter(to, &[]),
            sign_ins_refused: the::SIGN_INS_REFUSED.counter(to, &[]),
            readers_idle: the::DATABASE_READ_CONNECTIONS.gauge(to, &["idle"]),
            readers_used: the::DATABASE_READ_CONNECTIONS.gauge(to, &["used"]),
            readers_max: the::DATABASE_READ_CONNECTIONS_MAX.gauge(to, &[]),
            bus_head: the::BUS_HEAD.gauge(to, &[]),
            published: the::BUS_PUBLISHED.counter(to, &[]),
            queued: the::BUS_QUEUED.gauge(to, &[]),
            capacity: the::BUS_CAPACITY.gauge(to, &[]),
            subscribers: HashMap::new(),
            recorder,
        }
    }

    pub(crate) fn read(&self, readings: &Readings) {
        let Readings {
            writer,
            sign_ins_refused,
            readers,
            tailer_halted,
            count_drift,
            last_backup,
            event_streams,
        } = *readings;
        let Writer { transactions, retries, done, refused, failed, waiting, events } = writer;
        self.transactions.absolute(transactions);
        self.retries.absolute(retries);
        self.done.absolute(done);
        self.refused.absolute(refused);
        self.failed.absolute(failed);
        self.waiting.set(float(waiting));
        self.events.absolute(events);
        self.sign_ins_refused.absolute(sign_ins_refused);
        let Pool { open, idle, max } = readers;
        self.readers_idle.set(float(idle));
        self.readers_used.set(float(open.saturating_sub(idle)));
        self.readers_max.set(float(max));
        self.tailer_halted.set(f64::from(u8::from(tailer_halted)));
        self.count_drift.set(signed_float(count_drift));
        self.last_backup.set(float(last_backup));
        self.event_streams.set(float(event_streams));
    }

    /// `counted` is how many events the metrics task itself has handled.
    pub(crate) fn read_bus(&mut self, stats: &BusStats, counted: u64) {
        let BusStats { head, published, queued, capacity, subscribers } = stats;
        self.bus_head.set(float(head.0));
        self.published.absolute(*published);
        self.queued.set(float(*queued as u64));
        self.capacity.set(float(*capacity as u64));
        for stats in subscribers {
            let figures = self
                .subscribers
                .entry(stats.name)
                .or_insert_with(|| SubscriberFigures::register(&*self.recorder, stats.name));
            let handled = if stats.name == SUBSCRIBER { counted } else { stats.handled() };
            figures.read(stats, head.0, handled);
        }
    }
}

impl SubscriberFigures {
    fn register(recorder: &dyn Recorder, name: &str) -> Self {
        Self {
            lag: the::SUBSCRIBER_LAG.gauge(recorder, &[name]),
            handled: the::SUBSCRIBER_EVENTS.counter(recorder, &[name, "handled"]),
            given_up: the::SUBSCRIBER_EVENTS.counter(recorder, &[name, "given_up"]),
            retries: the::SUBSCRIBER_RETRIES.counter(recorder, &[name]),
            log_reads: the::SUBSCRIBER_LOG_READS.counter(recorder, &[name]),
        }
    }

    fn read(&self, stats: &SubscriberStats, head: u64, handled: u64) {
        self.lag.set(float(stats.lag(Seq(head))));
        self.handled.absolute(handled);
        self.given_up.absolute(stats.failed());
        self.retries.absolute(stats.retried());
        self.log_reads.absolute(stats.read_from_log_total());
    }
}

#[expect(clippy::cast_precision_loss, reason = "a sample is a float; exact up to 2^53")]
fn float(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "a sample is a float; exact up to 2^53")]
fn signed_float(value: i64) -> f64 {
    value as f64
}
