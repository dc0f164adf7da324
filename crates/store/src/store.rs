//! The store: everything that can be asked about rows and events, and everything that can be done to them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
};

use inventory_core::{
    Bus, Clock, Component, ComponentId, CoreTasks, LogPosition, Origin, Seq, Sku, UserId, bus,
};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    check::{self, CheckReport},
    component::{
        count::{self, CountAudit},
        dates::{self, DateCount, Period},
        facets::{self, Facets},
        listing::{self, Counting},
        lookup::{Lookup, lookups},
        page::Page,
        query::{Column, Query},
        read,
        row::StoredComponent,
        search_index,
    },
    config::Config,
    db::database::Database,
    error::{OpenError, ReadError},
    identity::{IdentityContext, Passwords, Refusals, Sessions, TokenCache, Tokens, Users},
    import_job::ImportJobs,
    log::{
        Log,
        activity::{self, Activity},
        event_id,
        history::{self, EventPage},
        open_head,
        replay::ReplayLog,
        tail::Tailer,
    },
    maintenance::Maintenance,
    service_record,
    stats::Stats,
    write::{
        Command, ComponentAnswer, ComponentCommand, ComponentOperation, ComponentRequest, Conflict, Figures,
        OperationErrors, OperationResult, PreparedWrite, STALL_LIMIT, WriteContext, WriteError, WriteFailure,
        WriteQueue, WriteResult, Writer, write_queue,
    },
};

/// The number of components and the last event, as one moment of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// The number of component rows, as the database itself keeps it.
    pub components: u64,
    /// The last event committed.
    pub head: Seq,
    /// A place up to the head after which this process has committed nothing. Who counts this process's own
    /// events has all of that moment once it is past here.
    pub own: Seq,
}

/// A database of components, opened. Clones are the same store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    bus: Bus,
    stream_bus: Bus,
    origin: Origin,
    epoch: Arc<str>,
    clock: Clock,
    identity: Arc<IdentityContext>,
    writes: WriteQueue,
    lookup: Lookup,
    nudge: Arc<Notify>,
    figures: Arc<Figures>,
    halted: Arc<AtomicBool>,
    drift: Arc<AtomicI64>,
    last_backup: Arc<AtomicU64>,
    /// Stops the writer, the maintenance and the lookups.
    stop: CancellationToken,
    /// The writer, the tailer, the maintenance and the lookups.
    tasks: CoreTasks,
}

async fn version_floor(database: &Database) -> Result<u64, OpenError> {
    let floor = service_record::find(&database.reader, database, service_record::VERSION_FLOOR).await;
    let floor = floor.map_err(|error| OpenError::Read(error.into()))?;
    Ok(u64::try_from(floor.unwrap_or_default()).unwrap_or_default())
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("origin", &self.inner.origin).finish_non_exhaustive()
    }
}

impl Store {
    /// How many events a page of [`Store::history`] or [`Store::recent`] has at most.
    pub const MAX_PAGE_EVENTS: usize = history::MAX_PAGE_EVENTS;
    /// Maximum number of values that [`Store::facets`] returns.
    pub const MAX_FACETS: usize = facets::MAX_FACETS;
    /// How many components [`Store::facets_at_once`] looks at.
    pub const MAX_COUNTED: i64 = facets::MAX_COUNTED;
    /// Maximum number of days that [`Store::activity`] returns.
    pub const MAX_ACTIVITY_DAYS: u16 = activity::MAX_DAYS;

    /// Opens a database, brings its schema up to date, and starts the writer and the tailer.
    pub async fn open(config: Config) -> Result<Self, OpenError> {
        let database = Database::open(&config).await?;
        let (epoch, head) = open_head(&database).await?;
        let version_floor = version_floor(&database).await?;
        let log = Log::new(database.reader.clone());
        let (publisher, bus) = bus(Arc::new(log), head, config.bus_capacity);
        let (queue, requests) =
            write_queue(database.availability.clone(), config.clock.clone(), version_floor);
        let (committed, batches) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let (lookup, lookups) = lookups(database.clone(), stop.clone());
        let identity = Arc::new(IdentityContext {
            database: database.clone(),
            writes: queue.clone(),
            clock: config.clock.clone(),
            tokens: TokenCache::default(),
            passwords: Passwords::default(),
            refusals: Refusals::default(),
            seeing: Arc::new(Semaphore::new(1)),
            stop: stop.clone(),
        });
        let inner = Inner {
            database: database.clone(),
            stream_bus: bus.with_log(Arc::new(ReplayLog::new(database.replay.clone()))),
            bus,
            origin: Origin::generate(),
            epoch: epoch.into(),
            clock: config.clock,
            identity: Arc::clone(&identity),
            writes: queue,
            lookup,
            nudge: Arc::default(),
            figures: Arc::default(),
            halted: Arc::default(),
            drift: Arc::default(),
            last_backup: Arc::default(),
            stop,
            tasks: CoreTasks::default(),
        };
        let writer = Writer {
            database: database.clone(),
            origin: inner.origin,
            requests,
            committed,
            figures: Arc::clone(&inner.figures),
            stop: inner.stop.clone(),
        };
        let tailer = Tailer {
            publisher,
            log: Log::new(database.poll.clone()),
            database: database.clone(),
            observer: identity.tokens.clone(),
            committed: batches,
            nudge: Arc::clone(&inner.nudge),
            poll: config.poll,
            halted: Arc::clone(&inner.halted),
            halted_since: None,
        };
        let maintenance = Maintenance {
            database,
            clock: inner.clock.clone(),
            tokens: identity.tokens.clone(),
            drift: Arc::clone(&inner.drift),
            last_backup: Arc::clone(&inner.last_backup),
            stop: inner.stop.clone(),
        };
        inner.tasks.spawn_restarting(writer);
        inner.tasks.spawn_restarting(tailer);
        inner.tasks.spawn_restarting(maintenance);
        inner.tasks.spawn_restarting(lookups);
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The tasks that must run as long as the store is open. [`Store::close`] waits for them.
    pub fn core_tasks(&self) -> &CoreTasks {
        &self.inner.tasks
    }

    /// Where subscribers attach.
    pub fn bus(&self) -> &Bus {
        &self.inner.bus
    }

    /// Where the streams of clients attach: the same bus, but what they read from the log does not keep other reads
    /// waiting.
    pub fn stream_bus(&self) -> &Bus {
        &self.inner.stream_bus
    }

    /// This process, as its events name it.
    pub fn origin(&self) -> Origin {
        self.inner.origin
    }

    /// The identity of the log. It changes when the database is created again or restored.
    pub fn epoch(&self) -> &Arc<str> {
        &self.inner.epoch
    }

    /// The position after an event that was published; 0 is the start of the log.
    pub async fn position(&self, seq: Seq) -> Result<LogPosition, ReadError> {
        let epoch = Arc::clone(&self.inner.epoch);
        if seq == Seq::default() {
            return Ok(LogPosition::start(epoch));
        }
        let id = event_id(&self.inner.database, seq).await?;
        let id = id.ok_or_else(|| ReadError::Corrupt(format!("event {seq} is missing from the log")))?;
        Ok(LogPosition::after(epoch, seq, id))
    }

    /// A position that a client kept, if it is one of this log.
    pub async fn known_position(&self, kept: &LogPosition) -> Result<Option<LogPosition>, ReadError> {
        let (epoch, seq) = (Arc::clone(&self.inner.epoch), kept.seq());
        if kept.is_start_of(&epoch) {
            return Ok(Some(LogPosition::start(epoch)));
        }
        let id = event_id(&self.inner.database, seq).await?;
        Ok(id.filter(|id| kept.is_after(&epoch, seq, *id)).map(|id| LogPosition::after(epoch, seq, id)))
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The users.
    pub fn users(&self) -> Users<'_> {
        Users(&self.inner.identity)
    }

    /// The API tokens.
    pub fn tokens(&self) -> Tokens<'_> {
        Tokens(&self.inner.identity)
    }

    /// The sessions of users.
    pub fn sessions(&self) -> Sessions<'_> {
        Sessions(&self.inner.identity)
    }

    /// Uploaded files that are not imported yet.
    pub fn import_jobs(&self) -> ImportJobs<'_> {
        let Inner { database, clock, origin, .. } = &*self.inner;
        ImportJobs { database, clock, origin: *origin }
    }

    /// One component.
    pub async fn component(&self, id: ComponentId) -> Result<Option<Component>, ReadError> {
        self.stored_component(id).await?.map(|stored| stored.component()).transpose()
    }

    /// One component, for those who hand its JSON on.
    pub async fn stored_component(&self, id: ComponentId) -> Result<Option<StoredComponent>, ReadError> {
        self.inner.lookup.component(id).await
    }

    /// A page of components.
    pub async fn components(&self, query: &Query) -> Result<Page, ReadError> {
        self.stored_components(query).await?.components()
    }

    /// A page of components, for those who hand their JSON on.
    pub async fn stored_components(&self, query: &Query) -> Result<Page<StoredComponent>, ReadError> {
        listing::page(&self.inner.database, query, Counting::All).await
    }

    /// The same for someone who looks at a list and waits for it: where it is narrowed by anything, its total is
    /// counted up to [`Query::MAX_FOUND`], which then stands for as many or more.
    pub async fn browse(&self, query: &Query) -> Result<Page, ReadError> {
        listing::page(&self.inner.database, query, Counting::SoFar).await?.components()
    }

    /// The values of a column, which must be [`Column::countable`], among the components that meet the
    /// conditions of a query: the most frequent ones, at most `limit` and [`Store::MAX_FACETS`].
    pub async fn facets(&self, query: &Query, column: Column, limit: usize) -> Result<Facets, ReadError> {
        facets::facets(&self.inner.database, query, column, limit).await
    }

    /// The values of several columns, as [`Store::facets`], in the order of the columns, read at once from at
    /// most [`Store::MAX_COUNTED`] of the components that meet the conditions.
    pub async fn facets_at_once(
        &self,
        query: &Query,
        columns: &[Column],
        limit: usize,
    ) -> Result<Vec<Facets>, ReadError> {
        facets::facets_at_once(&self.inner.database, query, columns, limit).await
    }

    /// When the components that meet the conditions of a query were created, or last changed, as the column
    /// says: how many in each part of a period that has any, oldest first. None for a column without times.
    pub async fn dates(
        &self,
        query: &Query,
        column: Column,
        period: Period,
    ) -> Result<Vec<DateCount>, ReadError> {
        dates::dates(&self.inner.database, query, column, period).await
    }

    /// The components that have one of these ids, in no particular order.
    pub async fn components_by_id(&self, ids: &[ComponentId]) -> Result<Vec<Component>, ReadError> {
        read::components(&self.inner.database, ids).await
    }

    /// The components that have one of these skus, in no particular order.
    pub async fn components_by_sku(&self, skus: &[Sku]) -> Result<Vec<Component>, ReadError> {
        read::by_sku(&self.inner.database, skus).await
    }

    /// What happened to a component, newest first, also to one that is no more: at most `limit` events and
    /// [`Store::MAX_PAGE_EVENTS`], all before a place.
    pub async fn history(
        &self,
        id: ComponentId,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<EventPage, ReadError> {
        history::of_component(&self.inner.database, id, before, limit).await
    }

    /// What happened to a user and what the user did at the door, newest first: changes, sessions, refused
    /// attempts to sign in, and the user's tokens. A session is remembered for [`crate::Session::KEPT_FOR`].
    pub async fn user_history(
        &self,
        id: UserId,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<EventPage, ReadError> {
        history::of_user(&self.inner.database, id, before, limit).await
    }

    /// The newest events of certain types, as [`Store::history`]. A page may have fewer events than there are:
    /// each looks through a bounded part of the log, and the next page begins where it ended.
    pub async fn recent(
        &self,
        types: &[&str],
        before: Option<Seq>,
        limit: usize,
    ) -> Result<EventPage, ReadError> {
        let before = match before {
            Some(before) => before,
            None => self.snapshot().await?.head.next(),
        };
        history::recent(&self.inner.database, types, before, limit).await
    }

    /// How many components were created and deleted on each of the last days (UTC), oldest first, today
    /// last: at most [`Store::MAX_ACTIVITY_DAYS`].
    pub async fn activity(&self, days: u16) -> Result<Vec<Activity>, ReadError> {
        activity::activity(&self.inner.database, self.inner.clock.now(), days).await
    }

    /// The number of components and the last event, as one moment. What other processes committed up to it
    /// is on its way to the bus when this returns.
    pub async fn snapshot(&self) -> Result<Snapshot, ReadError> {
        let (components, head) = count::snapshot(&self.inner.database).await?;
        // Read after the moment was taken: what it shows of this process's commits was noted before each.
        let own = Seq(self.inner.figures.own.load(Ordering::SeqCst)).min(head);
        let snapshot = Snapshot { components, head, own };
        if snapshot.head > self.inner.bus.head() {
            self.inner.nudge.notify_one();
        }
        Ok(snapshot)
    }

    /// Carries out operations together, all or none. From the moment the writer has them, they are carried out whether
    /// or not the answer is awaited.
    pub async fn write(
        &self,
        operations: Vec<ComponentOperation>,
        context: WriteContext,
    ) -> Result<WriteResult<Vec<OperationResult>>, WriteError<OperationErrors>> {
        let WriteContext { actor, trace, idempotency, progress } = context;
        let context = self.inner.writes.context(actor, trace);
        let commands =
            operations.into_iter().map(|operation| ComponentCommand::new(operation, &context)).collect();
        let write = PreparedWrite { commands, context, idempotency, progress };
        let command = |reply| Command::Components(ComponentRequest { write, reply });
        match self.inner.writes.submit(command).await? {
            ComponentAnswer::Done { results, replayed } => Ok(WriteResult { result: results, replayed }),
            ComponentAnswer::Refused(errors) => Err(WriteError::Conflict(errors)),
            ComponentAnswer::KeyReused => Err(WriteFailure::KeyReused.into()),
        }
    }

    /// Carries out one operation, as [`Store::write`].
    pub async fn write_one(
        &self,
        operation: ComponentOperation,
        context: WriteContext,
    ) -> Result<WriteResult<OperationResult>, WriteError<Conflict>> {
        let written = self.write(vec![operation], context).await.map_err(|error| {
            error.map_conflict(|OperationErrors(errors)| match single(errors) {
                Ok(error) => WriteError::Conflict(error.conflict),
                Err(failure) => failure.into(),
            })
        })?;
        let WriteResult { result, replayed } = written;
        Ok(WriteResult { result: single(result)?, replayed })
    }

    /// Whether the database answers and writes get through.
    pub async fn ping(&self) -> Result<(), ReadError> {
        if let Some(wait) = self.inner.figures.oldest_wait().filter(|wait| *wait > STALL_LIMIT) {
            return Err(ReadError::Unavailable(format!("a write has waited for {} s", wait.as_secs())));
        }
        count::snapshot(&self.inner.database).await.map(drop)
    }

    /// The store in figures.
    pub fn stats(&self) -> Stats {
        let Inner { database, writes, figures, halted, drift, last_backup, .. } = &*self.inner;
        let Figures { transactions, retries, done, refused, failed, events, .. } = &**figures;
        let waiting = writes.waiting();
        let (readers_open, readers_idle, readers_max) = database.readers();
        Stats {
            transactions: transactions.load(Ordering::Relaxed),
            retries: retries.load(Ordering::Relaxed),
            writes_done: done.load(Ordering::Relaxed),
            writes_refused: refused.load(Ordering::Relaxed),
            writes_failed: failed.load(Ordering::Relaxed),
            writes_waiting: waiting as u64,
            events_committed: events.load(Ordering::Relaxed),
            sign_ins_refused: self.inner.identity.refusals.total(),
            tailer_halted: halted.load(Ordering::Relaxed),
            count_drift: drift.load(Ordering::Relaxed),
            last_backup: last_backup.load(Ordering::Relaxed),
            readers_open,
            readers_idle,
            readers_max,
        }
    }

    /// Compares the kept count with what is really there, at a cost that grows with the table.
    pub async fn audit_count(&self) -> Result<CountAudit, ReadError> {
        let audit = count::audit(&self.inner.database).await?;
        self.inner.drift.store(audit.drift(), Ordering::Relaxed);
        Ok(audit)
    }

    /// Sets the kept count to what is really there, and returns what it was.
    pub async fn repair_count(&self) -> Result<CountAudit, ReadError> {
        let audit = count::repair(&self.inner.database).await?;
        self.inner.drift.store(0, Ordering::Relaxed);
        Ok(audit)
    }

    /// Puts all that was written into the index of the search now. It is found without that, too, but one row
    /// after the other.
    pub async fn index_search(&self) -> Result<(), ReadError> {
        Ok(search_index::index_all(&self.inner.database, &self.inner.stop).await?)
    }

    /// Verifies every invariant of the database.
    pub async fn check(&self) -> Result<CheckReport, ReadError> {
        check::check(&self.inner.database).await
    }

    /// Finishes the writes that wait, publishes their events, closes the bus, waits for the subscribers to
    /// finish, and closes the connections.
    pub async fn close(&self) {
        self.sessions().record_rest_of_refusals().await;
        // The writer ends with its last request, the tailer with the writer, the subscribers with the bus.
        self.inner.tasks.expect_end();
        self.inner.stop.cancel();
        self.inner.tasks.join().await;
        self.inner.bus.join().await;
        self.inner.database.close().await;
    }
}

/// The result of the only operation of a write.
fn single<T>(results: Vec<T>) -> Result<T, WriteFailure> {
    let missing = || WriteFailure::Internal("the writer returned no result for the operation".to_owned());
    results.into_iter().next().ok_or_else(missing)
}
