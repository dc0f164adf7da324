//! A database in memory, and the metrics of a process beside it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use futures::future::{BoxFuture, FutureExt};
use inventory_core::{
    Actor, Bus, Clock, Component, ComponentCreated, ComponentDeleted, ComponentId, ComponentUpdated, Event,
    EventEnvelope, EventLog, Field, LogError, MemoryLog, NewComponent, Origin, Publisher, Recorder, Seq, bus,
};
use inventory_metrics::{Build, MetricsTask, Readings, Scraper, Snapshot, Source, SourceError, metrics};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tokio::sync::Semaphore;

/// The samples of a scrape, by name and labels.
pub(crate) type Samples = BTreeMap<String, f64>;

/// What was true after each event, the state before the first included.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Moment {
    pub(crate) components: u64,
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) deleted: u64,
    /// The last event of this process.
    pub(crate) own: u64,
}

/// A database that several processes write to, with its log.
pub(crate) struct FakeStore {
    /// Makes the envelopes.
    template: Recorder,
    publisher: Publisher,
    pub(crate) bus: Bus,
    log: Arc<Log>,
    component: Arc<Component>,
    moments: Mutex<Vec<Moment>>,
    /// Whether a snapshot fails.
    pub(crate) broken: AtomicBool,
    /// Whether a snapshot panics.
    pub(crate) panics: AtomicBool,
    /// How many snapshots were asked for.
    pub(crate) snapshots: AtomicUsize,
    /// How many have looked at the database.
    pub(crate) looks: AtomicUsize,
    /// A snapshot takes one of these before it looks at the database, and one after.
    pub(crate) gate: Semaphore,
    /// How often a snapshot yields to others on each side of its look at the database.
    yields: usize,
    /// Whether a snapshot tells the last place of this process.
    tells_own: bool,
}

/// A log that can be made to fail.
#[derive(Default)]
struct Log {
    events: Mutex<Vec<EventEnvelope>>,
    broken: AtomicBool,
    reads: AtomicUsize,
}

impl EventLog for Log {
    fn read(&self, after: Seq, limit: usize) -> BoxFuture<'_, Result<Vec<EventEnvelope>, LogError>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.broken.load(Ordering::SeqCst) {
            return futures::future::ready(Err(LogError::Unavailable("it is away".into()))).boxed();
        }
        let events = self.events.lock().unwrap();
        let page = events.iter().skip(usize::try_from(after.0).unwrap()).take(limit).cloned().collect();
        futures::future::ready(Ok(page)).boxed()
    }
}

impl FakeStore {
    pub(crate) fn new(capacity: usize) -> Self {
        let (template, _unused) = MemoryLog::with_bus(1);
        let log = Arc::new(Log::default());
        let (publisher, bus) = bus(log.clone(), Seq(0), capacity);
        let new = NewComponent::named("74HC00".parse().unwrap());
        let component = new.create(ComponentId::generate(), Clock::system().now(), Actor::cli()).unwrap();
        Self {
            template,
            publisher,
            bus,
            log,
            component: Arc::new(component),
            moments: Mutex::new(vec![Moment::default()]),
            broken: AtomicBool::new(false),
            panics: AtomicBool::new(false),
            snapshots: AtomicUsize::new(0),
            looks: AtomicUsize::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            yields: 0,
            tells_own: false,
        }
    }

    /// The same, whose snapshots wait at the gate.
    pub(crate) fn gated(self) -> Self {
        Self { gate: Semaphore::new(0), ..self }
    }

    pub(crate) fn yielding(self, yields: usize) -> Self {
        Self { yields, ..self }
    }

    pub(crate) fn telling_own(self, tells_own: bool) -> Self {
        Self { tells_own, ..self }
    }

    pub(crate) fn origin(&self) -> Origin {
        self.template.origin()
    }

    pub(crate) fn create(&self, origin: Origin) {
        self.commit(origin, ComponentCreated { component: Arc::clone(&self.component) });
    }

    pub(crate) fn update(&self, origin: Origin) {
        let (before, after) = (Arc::clone(&self.component), Arc::clone(&self.component));
        self.commit(origin, ComponentUpdated { before, after, changed: vec![Field::Name] });
    }

    pub(crate) fn delete(&self, origin: Origin) {
        self.commit(origin, ComponentDeleted { component: Arc::clone(&self.component) });
    }

    fn commit(&self, origin: Origin, event: impl Into<Event>) {
        let mut moments = self.moments.lock().unwrap();
        let mut moment = *moments.last().unwrap();
        let event = self.template.record_from(origin, event);
        let own = u64::from(origin == self.origin());
        match &event.data {
            Event::ComponentCreated(_) => {
                moment.components += 1;
                moment.created += own;
            }
            Event::ComponentUpdated(_) => moment.updated += own,
            Event::ComponentDeleted(_) => {
                moment.components -= 1;
                moment.deleted += own;
            }
            other => panic!("{other:?} is not of this test"),
        }
        if own == 1 {
            moment.own = event.seq.0;
        }
        moments.push(moment);
        self.log.events.lock().unwrap().push(event.clone());
        self.publisher.publish(event);
    }

    /// Commits a create that the bus does not carry.
    pub(crate) fn create_unpublished(&self, origin: Origin) {
        let mut moments = self.moments.lock().unwrap();
        let mut moment = *moments.last().unwrap();
        moment.components += 1;
        if origin == self.origin() {
            moment.created += 1;
            moment.own = moments.len() as u64;
        }
        moments.push(moment);
    }

    /// Publishes the create that the bus did not carry, which must be the last event.
    pub(crate) fn publish_missing(&self, origin: Origin) {
        let created = ComponentCreated { component: Arc::clone(&self.component) };
        let event = self.template.record_from(origin, created);
        self.log.events.lock().unwrap().push(event.clone());
        self.publisher.publish(event);
    }

    /// A row that someone inserted by hand.
    pub(crate) fn insert_by_hand(&self) {
        self.moments.lock().unwrap().last_mut().unwrap().components += 1;
    }

    pub(crate) fn head(&self) -> u64 {
        self.moments.lock().unwrap().len() as u64 - 1
    }

    pub(crate) fn moment(&self, seq: u64) -> Moment {
        self.moments.lock().unwrap()[usize::try_from(seq).unwrap()]
    }

    pub(crate) fn break_log(&self, broken: bool) {
        self.log.broken.store(broken, Ordering::SeqCst);
    }

    pub(crate) fn log_reads(&self) -> usize {
        self.log.reads.load(Ordering::SeqCst)
    }

    pub(crate) fn close(&self) {
        self.publisher.close();
    }

    /// The metrics of a process that starts now.
    pub(crate) fn metrics(self: &Arc<Self>) -> (Scraper<Samples>, MetricsTask<Process>, Snapshotter) {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        let process = Process {
            world: Arc::clone(self),
            snapshotter: snapshotter.clone(),
            counted: Mutex::default(),
            readings: Readings::default(),
        };
        let build = Build { version: "1.2.3", revision: None };
        let (scraper, task) =
            metrics(Arc::new(recorder), &build, &self.bus, self.origin(), self.bus.head(), process);
        (scraper, task, snapshotter)
    }

    /// The same, running.
    pub(crate) fn start(self: &Arc<Self>) -> Scraper<Samples> {
        let (scraper, task, _) = self.metrics();
        tokio::spawn(task.run());
        scraper
    }
}

/// The process whose metrics they are.
pub(crate) struct Process {
    world: Arc<FakeStore>,
    snapshotter: Snapshotter,
    /// The debugging recorder forgets a counter when it is read, so what was read is added up here.
    counted: Mutex<Samples>,
    readings: Readings,
}

impl Source for Process {
    type Text = Samples;

    async fn snapshot(&self) -> Result<Snapshot, SourceError> {
        let world = &self.world;
        world.snapshots.fetch_add(1, Ordering::SeqCst);
        world.gate.acquire().await?.forget();
        for _ in 0..world.yields {
            tokio::task::yield_now().await;
        }
        let (head, moment) = {
            let moments = world.moments.lock().unwrap();
            (moments.len() as u64 - 1, *moments.last().unwrap())
        };
        world.looks.fetch_add(1, Ordering::SeqCst);
        for _ in 0..world.yields {
            tokio::task::yield_now().await;
        }
        world.gate.acquire().await?.forget();
        assert!(!world.panics.load(Ordering::SeqCst), "as a defect would");
        if world.broken.load(Ordering::SeqCst) {
            return Err("the database is gone".into());
        }
        let own = Seq(if world.tells_own { moment.own } else { head });
        Ok(Snapshot { components: moment.components, head: Seq(head), own })
    }

    fn readings(&self) -> Readings {
        self.readings
    }

    fn render(&self) -> Samples {
        let mut counted = self.counted.lock().unwrap();
        let mut samples = Samples::new();
        for (key, value) in values(&self.snapshotter) {
            let value = match value {
                DebugValue::Counter(value) => {
                    let added = counted.entry(key.clone()).or_default();
                    *added += f64::from(u32::try_from(value).unwrap());
                    *added
                }
                DebugValue::Gauge(value) => value.into_inner(),
                DebugValue::Histogram(_) => continue,
            };
            samples.insert(key, value);
        }
        samples
    }
}

/// What the recorder holds, by name and labels.
pub(crate) fn values(snapshotter: &Snapshotter) -> Vec<(String, DebugValue)> {
    let held = snapshotter.snapshot().into_vec().into_iter();
    held.map(|(key, _, _, value)| {
        let labels = key.key().labels().map(metrics::Label::value);
        ([key.key().name()].into_iter().chain(labels).collect::<Vec<_>>().join("/"), value)
    })
    .collect()
}

/// Lets others go on until something is so.
pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if condition() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never was");
}
