//! The writer task, which carries out all writes of this process.
//!
//! It carries out the waiting writes in one transaction, so that one commit to disk serves many writes. It
//! outlives every request: a write is carried out even if its client disconnects.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::FutureExt;
use inventory_core::{CoreTask, EventEnvelope, EventId, Origin, Seq, micros};
use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{context::PendingEvent, executor::execute, failure::WriteFailure, queue::Request};
use crate::{
    db::{
        database::Database,
        error_class::{DbErrorClass, classify},
    },
    entity::event_log,
    log::{self, activity},
};

/// Maximum number of writes in one transaction.
const MAX_WRITES: usize = 64;
/// Maximum number of operations in one transaction, unless a single write has more. It bounds how long the
/// first write of a batch waits for the last. Unlike a time limit, it gives the same batches on every
/// machine.
const MAX_OPERATIONS: usize = 512;
/// Maximum age of the oldest write of a transaction before the service counts as not ready.
pub(crate) const STALL_LIMIT: Duration = Duration::from_secs(8);
/// Retries of a transaction after a lock conflict or a lost connection: their number, total time, and
/// back-off.
const RETRIES: usize = 5;
const RETRY_TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LAST_PAUSE: Duration = Duration::from_millis(500);
/// Number of queries of the log after a commit whose reply was lost.
const INQUIRIES: usize = 10;

/// Statistics of the writer since it was started.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) transactions: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) done: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) events: AtomicU64,
    /// The last sequence number that was assigned to an event of this process. It is set before the commit.
    pub(crate) own: AtomicU64,
    /// When the oldest write of the current transaction began to wait.
    oldest: Mutex<Option<Instant>>,
}

impl Figures {
    /// How long the oldest write of the current transaction has waited.
    pub(crate) fn oldest_wait(&self) -> Option<Duration> {
        self.oldest.lock().unwrap_or_else(PoisonError::into_inner).map(|since| since.elapsed())
    }

    fn set_oldest(&self, since: Option<Instant>) {
        *self.oldest.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

pub(crate) struct Writer {
    pub(crate) database: Database,
    pub(crate) origin: Origin,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) committed: mpsc::UnboundedSender<Vec<EventEnvelope>>,
    pub(crate) figures: Arc<Figures>,
    /// Refuses further writes; those in the queue are still carried out.
    pub(crate) stop: CancellationToken,
}

/// Why a batch was not committed.
enum Failure {
    /// It was rolled back completely.
    Rolledback(DbErr),
    /// The outcome is unknown: it may be in the database.
    Unknown,
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        Self::Rolledback(error)
    }
}

impl CoreTask for Writer {
    const NAME: &'static str = "writer";

    /// Runs until it is stopped and every queued write is answered.
    async fn run(&mut self) {
        let mut waiting = Vec::with_capacity(MAX_WRITES);
        loop {
            let received = tokio::select! {
                received = self.requests.recv_many(&mut waiting, MAX_WRITES) => received,
                () = self.stop.cancelled(), if !self.requests.is_closed() => {
                    self.requests.close();
                    continue;
                }
            };
            if received == 0 {
                return;
            }
            while !waiting.is_empty() {
                let rest = waiting.split_off(batch_length(&waiting));
                self.serve(std::mem::replace(&mut waiting, rest)).await;
            }
        }
    }
}

impl Writer {
    async fn serve(&self, mut batch: Vec<Request>) {
        self.figures.set_oldest(batch.iter().map(|request| request.since).min());
        match self.persist(&mut batch).await {
            Ok(()) => self.commit(batch),
            // One of several is to blame: each alone, so that only that one fails.
            Err(Failure::Rolledback(error)) if batch.len() > 1 && classify(&error) == DbErrorClass::Other => {
                for request in batch {
                    let mut alone = vec![request];
                    match self.persist(&mut alone).await {
                        Ok(()) => self.commit(alone),
                        Err(failure) => self.fail(alone, &failure),
                    }
                }
            }
            Err(failure) => self.fail(batch, &failure),
        }
        self.figures.set_oldest(None);
    }

    /// Carries out a batch, and retries after lock conflicts.
    async fn persist(&self, batch: &mut Vec<Request>) -> Result<(), Failure> {
        let give_up = Instant::now() + RETRY_TIMEOUT;
        let mut pauses = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LAST_PAUSE)
            .with_max_times(RETRIES)
            .build();
        loop {
            // A defect here must not end the task on which all writes depend.
            let attempt = AssertUnwindSafe(self.attempt(batch)).catch_unwind().await;
            let attempt = attempt
                .unwrap_or_else(|_panic| Err(DbErr::Custom("a panic in the writer".to_owned()).into()));
            let transient = matches!(&attempt, Err(Failure::Rolledback(error))
                if matches!(classify(error), DbErrorClass::Transient | DbErrorClass::Disconnected));
            match pauses.next() {
                Some(pause) if transient && self.may_retry(give_up) => {
                    self.figures.retries.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(pause).await;
                }
                _ => return attempt,
            }
        }
    }

    /// Whether to retry a failed transaction.
    fn may_retry(&self, give_up: Instant) -> bool {
        Instant::now() < give_up && self.database.availability.check().is_ok()
    }

    /// Runs one transaction.
    async fn attempt(&self, batch: &mut Vec<Request>) -> Result<(), Failure> {
        self.database.verify_file()?;
        let transaction = self.database.begin().await?;
        // Not earlier: up to here a write that has waited too long can be withdrawn.
        batch.retain(|request| request.claim.take());
        let pending = execute(&transaction, batch).await?;
        let mut events = Vec::with_capacity(pending.len());
        let mut rows = Vec::with_capacity(pending.len());
        for pending in pending {
            let (event, row) = self.record(pending).map_err(|error| DbErr::Json(error.to_string()))?;
            events.push(event);
            rows.push(row);
        }
        if !events.is_empty() {
            let mut seq = log::advance(&self.database, &transaction, events.len()).await?;
            for (event, row) in events.iter_mut().zip(&mut rows) {
                event.seq = seq;
                row.seq = log::signed(seq);
                seq = seq.next();
            }
            log::append(&transaction, rows).await?;
            activity::add(&self.database, &transaction, &events).await?;
            self.figures.own.fetch_max(seq.previous().0, Ordering::SeqCst);
        }
        if let Err(error) = transaction.commit().await {
            self.settle(error, events.first()).await?;
        }
        if let Err(error) = self.database.verify_file() {
            // It was committed to a file that may come back.
            tracing::error!(%error, "writes committed to a file that is no longer the database");
            return Err(Failure::Unknown);
        }
        self.figures.transactions.fetch_add(1, Ordering::Relaxed);
        self.figures.events.fetch_add(events.len() as u64, Ordering::Relaxed);
        if !events.is_empty() {
            // Fails only when the tailer is gone, which it is not while there is a writer.
            let _gone = self.committed.send(events);
        }
        Ok(())
    }

    fn record(&self, pending: PendingEvent) -> Result<(EventEnvelope, event_log::Model), serde_json::Error> {
        let PendingEvent { event, data, context } = pending;
        let id = Uuid::now_v7();
        let data = match data {
            Some(data) => data,
            None => Box::<str>::from(event.data()?).into_string(),
        };
        let row = event_log::Model {
            seq: 0,
            id,
            r#type: event.type_name().to_owned(),
            version: i16::try_from(event.version()).unwrap_or(i16::MAX),
            subject: event.subject(),
            origin: self.origin.0,
            actor: context.actor.to_string(),
            trace: context.trace.as_deref().map(str::to_owned),
            data,
            occurred_at: micros(context.at),
        };
        let event = EventEnvelope {
            seq: Seq::default(),
            id: EventId(id),
            origin: self.origin,
            actor: context.actor,
            trace: context.trace,
            occurred_at: context.at,
            data: event,
        };
        Ok((event, row))
    }

    /// Finds out over another connection whether a commit took effect that failed or was not answered.
    async fn settle(&self, error: DbErr, first: Option<&EventEnvelope>) -> Result<(), Failure> {
        let Some(first) = first else { return Err(error.into()) };
        tracing::warn!(%error, "commit outcome unknown, checking the event log");
        for _ in 0..INQUIRIES {
            match self.committed(first.id.0).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(error.into()),
                Err(_still_away) => tokio::time::sleep(LAST_PAUSE).await,
            }
        }
        Err(Failure::Unknown)
    }

    async fn committed(&self, event: Uuid) -> Result<bool, DbErr> {
        let transaction = self.database.begin().await?;
        if self.database.backend() == DbBackend::Postgres {
            // The server may still be at the lost commit. Its lock on the head is gone when it is through.
            transaction.execute_unprepared("SELECT seq FROM event_head FOR UPDATE").await?;
        }
        let found = log::contains(&transaction, event).await?;
        transaction.rollback().await?;
        Ok(found)
    }

    fn commit(&self, batch: Vec<Request>) {
        for request in batch {
            let figure = if request.command.commit() { &self.figures.done } else { &self.figures.refused };
            figure.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn fail(&self, batch: Vec<Request>, failure: &Failure) {
        let failure = match failure {
            // Logged by the caller, who knows the request.
            Failure::Rolledback(error) => WriteFailure::from(error),
            Failure::Unknown => WriteFailure::OutcomeUnknown,
        };
        self.figures.failed.fetch_add(batch.len() as u64, Ordering::Relaxed);
        for request in batch {
            let taken = request.claim.take();
            if !request.command.fail(failure.clone()) && taken {
                tracing::error!(error = %failure, "write failed after its client disconnected");
            }
        }
    }
}

/// The number of waiting writes that go into one transaction, at least one.
fn batch_length(waiting: &[Request]) -> usize {
    let mut operations = 0;
    waiting
        .iter()
        .take_while(|request| {
            let first = operations == 0;
            operations += request.command.operations();
            first || operations <= MAX_OPERATIONS
        })
        .count()
        .max(1)
}
