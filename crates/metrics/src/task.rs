//! The task that owns the counters and answers the scrapes.

use std::{cmp::Reverse, error::Error, panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration};

use futures::FutureExt;
use inventory_core::{Bus, Origin, Seq};
use metrics::Recorder;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use crate::{
    SUBSCRIBER,
    catalogue::CATALOGUE,
    follower::{Follower, NotReached},
    instruments::{Counters, DatabaseGauges, Figures, ScrapeInstruments},
    reading::{Build, Readings, Snapshot},
    scrape::{self, MAX_BARRIER, MIN_BARRIER, Scrape, Scraper},
};

/// The shortest time between two reads of the count that no scrape asked for.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);

/// Why the database was not read.
pub type SourceError = Box<dyn Error + Send + Sync>;

/// What the metrics task asks of the process around it.
pub trait Source: Send + Sync + 'static {
    /// A scrape as text.
    type Text: Clone + Send + 'static;

    /// The number of components and the last event as one moment of the database, which must not be before
    /// the call.
    fn snapshot(&self) -> impl Future<Output = Result<Snapshot, SourceError>> + Send;

    /// The running figures of the process, now. Cheap: they are in memory.
    fn readings(&self) -> Readings;

    /// What the recorder holds, as text.
    fn render(&self) -> Self::Text;
}

/// Registers every metric on a recorder. Nothing happens until the task runs; from then on it counts the
/// events of `origin` after the place `after`, which is one before the first event that this process commits.
pub fn metrics<S: Source>(
    recorder: Arc<dyn Recorder + Send + Sync>,
    build: &Build,
    bus: &Bus,
    origin: Origin,
    after: Seq,
    source: S,
) -> (Scraper<S::Text>, MetricsTask<S>) {
    for metric in CATALOGUE {
        metric.describe(&*recorder);
    }
    let (scraper, waiting) = scrape::channel();
    let subscription = bus.subscribe_after(SUBSCRIBER, after);
    let collector = Collector {
        follower: Follower::new(subscription, origin, Counters::register(&*recorder)),
        database: DatabaseGauges::register(&*recorder),
        observed: ScrapeInstruments::register(&*recorder),
        figures: Figures::register(recorder, build),
        bus: bus.clone(),
        source: Arc::new(source),
        synchronized_at: None,
        refresh_at: None,
    };
    (scraper, MetricsTask { collector, scrapes: waiting })
}

/// The metrics task: see [`metrics()`].
#[must_use = "the metrics are kept only while the task runs"]
pub struct MetricsTask<S: Source> {
    collector: Collector<S>,
    scrapes: mpsc::Receiver<Scrape<S::Text>>,
}

impl<S: Source> std::fmt::Debug for MetricsTask<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetricsTask").finish_non_exhaustive()
    }
}

impl<S: Source> MetricsTask<S> {
    /// Counts and answers until the bus is closed and its last event counted.
    pub async fn run(self) {
        let Self { mut collector, mut scrapes } = self;
        loop {
            tokio::select! {
                // Scrapes first: one takes as many events along as it needs.
                biased;
                Some(first) = scrapes.recv() => collector.answer_scrapes(first, &mut scrapes).await,
                () = until(collector.refresh_at) => collector.refresh(&mut scrapes).await,
                followed = collector.follow() => if !followed { return },
            }
        }
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Scrapes that share one read of the database. Each waits for it until its own deadline, and at least
/// [`MIN_BARRIER`].
struct Flight<T> {
    started: Instant,
    /// The one with the earliest deadline last.
    scrapes: Vec<Scrape<T>>,
}

impl<T> Flight<T> {
    fn new(mut scrapes: Vec<Scrape<T>>) -> Self {
        let started = Instant::now();
        for scrape in &mut scrapes {
            scrape.deadline = scrape.deadline.max(started + MIN_BARRIER);
        }
        scrapes.sort_by_key(|scrape| Reverse(scrape.deadline));
        Self { started, scrapes }
    }

    /// When the next scrape has to be answered. Without scrapes, when the flight is given up.
    fn next_deadline(&self) -> Instant {
        self.scrapes.last().map_or(self.started + MAX_BARRIER, |scrape| scrape.deadline)
    }

    /// Whether no scrape may wait longer than the next deadline.
    fn is_last(&self) -> bool {
        self.scrapes.first().is_none_or(|scrape| scrape.deadline <= self.next_deadline())
    }

    /// The scrapes that have to be answered at the next deadline.
    fn take_due(&mut self) -> Vec<Scrape<T>> {
        let deadline = self.next_deadline();
        let waiting = self.scrapes.partition_point(|scrape| scrape.deadline > deadline);
        self.scrapes.split_off(waiting)
    }
}

/// Owns the counters and everything else that a scrape must see standing still.
struct Collector<S: Source> {
    follower: Follower,
    database: DatabaseGauges,
    observed: ScrapeInstruments,
    figures: Figures,
    bus: Bus,
    source: Arc<S>,
    /// When the gauges were last set.
    synchronized_at: Option<Instant>,
    /// When they are to be set again although no scrape asks.
    refresh_at: Option<Instant>,
}

impl<S: Source> Collector<S> {
    /// Counts one event; `false` when there will be no more.
    async fn follow(&mut self) -> bool {
        let followed = self.follower.step().await;
        if self.follower.take_count_changed() && self.refresh_at.is_none() {
            let earliest = self.synchronized_at.map_or_else(Instant::now, |at| at + REFRESH_INTERVAL);
            self.refresh_at = Some(earliest);
        }
        followed
    }

    /// Sets the gauge after creates and deletes. A scrape that arrives meanwhile goes first, since it must
    /// not wait for a moment that began before it.
    async fn refresh(&mut self, scrapes: &mut mpsc::Receiver<Scrape<S::Text>>) {
        let mut nobody = Flight::new(Vec::new());
        let scrape = tokio::select! {
            biased;
            Some(scrape) = scrapes.recv() => scrape,
            () = self.synchronize(&mut nobody) => return,
        };
        self.answer_scrapes(scrape, scrapes).await;
    }

    /// Answers a scrape and those that wait with it. One that comes later has to wait for the next flight:
    /// it may have seen a write that this flight's moment does not hold.
    async fn answer_scrapes(
        &mut self,
        first: Scrape<S::Text>,
        scrapes: &mut mpsc::Receiver<Scrape<S::Text>>,
    ) {
        let mut waiting = vec![first];
        while let Ok(scrape) = scrapes.try_recv() {
            waiting.push(scrape);
        }
        let mut flight = Flight::new(waiting);
        self.synchronize(&mut flight).await;
        self.answer(flight.started, flight.scrapes);
    }

    /// Brings the counters and the gauges to one moment, and answers the scrapes that cannot wait for it.
    ///
    /// No event is applied while the database is read. Then exactly those are applied that the answer
    /// contains, and the gauge is set to it. A scrape for which either takes too long gets a gauge of NaN: neither
    /// a number from before nor one that the counters disagree with is the number of components now.
    async fn synchronize(&mut self, flight: &mut Flight<S::Text>) {
        let source = Arc::clone(&self.source);
        // A defect of the source must not end the task that owns the counters.
        let mut snapshot = pin!(AssertUnwindSafe(source.snapshot()).catch_unwind());
        let snapshot = loop {
            match timeout_at(flight.next_deadline(), &mut snapshot).await {
                Ok(Ok(Ok(snapshot))) => break snapshot,
                Ok(Ok(Err(error))) => return self.unknown(&*error),
                Ok(Err(_panic)) => return self.unknown(&*SourceError::from("a panic in the source")),
                Err(elapsed) if flight.is_last() => return self.unknown(&elapsed),
                Err(_elapsed) => {
                    self.database.set_unknown();
                    self.answer(flight.started, flight.take_due());
                }
            }
        };
        let place = snapshot.own.min(snapshot.head);
        loop {
            let reached = timeout_at(flight.next_deadline(), self.follower.reach(place)).await;
            match reached {
                Ok(Ok(())) => self.database.set(&snapshot),
                Ok(Err(NotReached::Log(error))) => return self.unknown(&error),
                Ok(Err(NotReached::Ended)) | Err(_) => {
                    self.observed.barrier_timeouts.increment(1);
                    self.database.set_ahead(&snapshot);
                }
            }
            if reached.is_ok() || flight.is_last() {
                return self.synchronized();
            }
            self.answer(flight.started, flight.take_due());
        }
    }

    /// Answers scrapes with what the instruments show now.
    fn answer(&mut self, started: Instant, scrapes: Vec<Scrape<S::Text>>) {
        self.figures.read(&self.source.readings());
        self.figures.read_bus(&self.bus.stats(), self.follower.followed());

        let text = self.source.render();
        self.observed.scrapes.increment(scrapes.len() as u64);
        for scrape in scrapes {
            // Fails if the requester was dropped.
            let _gone = scrape.answer.send(text.clone());
        }
        self.observed.duration.record(started.elapsed());
    }

    fn unknown(&mut self, error: &dyn Error) {
        tracing::warn!(%error, "failed to read metrics from the database");
        self.database.set_unknown();
        self.synchronized();
    }

    fn synchronized(&mut self) {
        self.follower.take_count_changed();
        self.synchronized_at = Some(Instant::now());
        self.refresh_at = None;
    }
}
