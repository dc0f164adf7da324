//! The one task through which all writes of this process go.
//!
//! It carries out what is waiting in one transaction, so that one commit to disk serves many writes, and it
//! outlives every request: a client that hangs up changes nothing about its write.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::FutureExt;
use inventory_core::{EventId, Origin, Recorded, Seq, micros};
use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    activity,
    database::Database,
    entity::event_log,
    fault::{Fault, fault},
    log,
    prepare::Prepared,
    transaction::{Answer, Draft, carry_out},
    write::{WriteError, Written},
};

/// How many writes one transaction takes.
const MAX_WRITES: usize = 64;
/// How many operations one transaction takes, unless a single write has more. It bounds how long the first
/// of a batch waits for the last, as a time would, and gives the same batches on every machine.
const MAX_OPERATIONS: usize = 512;
/// How many writes may wait; further ones wait to be let in.
pub(crate) const QUEUE: usize = 1024;
/// How often a transaction is tried again that another process was in the way of, and the pauses between.
const RETRIES: usize = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LAST_PAUSE: Duration = Duration::from_millis(500);
/// How often the log is asked whether a commit whose answer was lost took place.
const INQUIRIES: usize = 10;

/// A write on its way, and where its answer goes.
pub(crate) struct Request {
    pub(crate) write: Prepared,
    pub(crate) answer: oneshot::Sender<Result<Written, WriteError>>,
}

/// What the writer has done since it was started.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) transactions: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) done: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) events: AtomicU64,
    /// The last place that was given to an event of this process, noted before the commit that makes it so.
    pub(crate) own: AtomicU64,
}

pub(crate) struct Writer {
    pub(crate) database: Database,
    pub(crate) origin: Origin,
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) committed: mpsc::UnboundedSender<Vec<Recorded>>,
    pub(crate) figures: Arc<Figures>,
    /// Lets no further write in; those that are in are carried out.
    pub(crate) stop: CancellationToken,
}

/// Why a batch was not committed.
enum Failure {
    /// Nothing of it is in the database.
    Rolledback(DbErr),
    /// It may be in the database.
    Unknown,
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        Self::Rolledback(error)
    }
}

impl Writer {
    /// Runs until it is stopped and every write that was let in is answered.
    pub(crate) async fn run(mut self) {
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

    async fn serve(&self, batch: Vec<Request>) {
        let (writes, answers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|request| (request.write, request.answer)).unzip();
        match self.persist(&writes).await {
            Ok(outcomes) => self.answer(answers, outcomes),
            // One of several is to blame: each alone, so that only that one fails.
            Err(Failure::Rolledback(error)) if writes.len() > 1 && fault(&error) == Fault::Other => {
                for (write, answer) in writes.into_iter().zip(answers) {
                    match self.persist(&[write]).await {
                        Ok(outcome) => self.answer(vec![answer], outcome),
                        Err(failure) => self.fail(vec![answer], &failure),
                    }
                }
            }
            Err(failure) => self.fail(answers, &failure),
        }
    }

    /// Carries out a batch, again and again while other processes are in the way.
    async fn persist(&self, writes: &[Prepared]) -> Result<Vec<Answer>, Failure> {
        let mut pauses = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LAST_PAUSE)
            .with_max_times(RETRIES)
            .build();
        loop {
            // A defect here must not end the task on which all writes depend.
            let attempt = AssertUnwindSafe(self.attempt(writes)).catch_unwind().await;
            let attempt = attempt
                .unwrap_or_else(|_panic| Err(DbErr::Custom("a panic in the writer".to_owned()).into()));
            let transient = matches!(&attempt, Err(Failure::Rolledback(error))
                if matches!(fault(error), Fault::Transient | Fault::Disconnected));
            match pauses.next() {
                Some(pause) if transient => {
                    self.figures.retries.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(pause).await;
                }
                _ => return attempt,
            }
        }
    }

    /// One transaction.
    async fn attempt(&self, writes: &[Prepared]) -> Result<Vec<Answer>, Failure> {
        let transaction = self.database.begin().await?;
        let (answers, drafts) = carry_out(&transaction, writes).await?;
        let mut events = Vec::with_capacity(drafts.len());
        let mut rows = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let (event, row) = self.record(draft).map_err(|error| DbErr::Json(error.to_string()))?;
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
        self.figures.transactions.fetch_add(1, Ordering::Relaxed);
        self.figures.events.fetch_add(events.len() as u64, Ordering::Relaxed);
        if !events.is_empty() {
            // Fails only when the tailer is gone, which it is not while there is a writer.
            let _gone = self.committed.send(events);
        }
        Ok(answers)
    }

    fn record(&self, draft: Draft) -> Result<(Recorded, event_log::Model), serde_json::Error> {
        let Draft { event, data, author } = draft;
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
            actor: author.actor.to_string(),
            trace: author.trace.as_deref().map(str::to_owned),
            data,
            occurred_at: micros(author.at),
        };
        let event = Recorded {
            seq: Seq::default(),
            id: EventId(id),
            origin: self.origin,
            actor: author.actor,
            trace: author.trace,
            occurred_at: author.at,
            data: event,
        };
        Ok((event, row))
    }

    /// Finds out whether a commit took place whose answer was lost with the connection.
    async fn settle(&self, error: DbErr, first: Option<&Recorded>) -> Result<(), Failure> {
        let Some(first) = first else { return Err(error.into()) };
        tracing::warn!(%error, "a commit was not answered; asking the log whether it took place");
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

    fn answer(&self, receivers: Vec<oneshot::Sender<Result<Written, WriteError>>>, answers: Vec<Answer>) {
        for (receiver, answer) in receivers.into_iter().zip(answers) {
            let answer = match answer {
                Answer::Done(results) => Ok(Written { results, replayed: false }),
                Answer::Replayed(Ok(results)) => Ok(Written { results, replayed: true }),
                Answer::Refused(refusals) | Answer::Replayed(Err(refusals)) => {
                    Err(WriteError::Refused(refusals))
                }
                Answer::KeyReused => Err(WriteError::KeyReused),
            };
            let figure = if answer.is_ok() { &self.figures.done } else { &self.figures.refused };
            figure.fetch_add(1, Ordering::Relaxed);
            // Whoever asked may have hung up.
            let _hung_up = receiver.send(answer);
        }
    }

    fn fail(&self, receivers: Vec<oneshot::Sender<Result<Written, WriteError>>>, failure: &Failure) {
        let error = match failure {
            // Logged by whoever asked, who knows the request.
            Failure::Rolledback(error) => WriteError::from(error),
            Failure::Unknown => WriteError::Unknown,
        };
        self.figures.failed.fetch_add(receivers.len() as u64, Ordering::Relaxed);
        for receiver in receivers {
            if receiver.send(Err(error.clone())).is_err() {
                tracing::error!(%error, "a write failed whose client had hung up");
            }
        }
    }
}

/// How many of the waiting writes go into one transaction: at least one.
fn batch_length(waiting: &[Request]) -> usize {
    let mut operations = 0;
    waiting
        .iter()
        .take_while(|request| {
            let first = operations == 0;
            operations += request.write.steps.len().max(1);
            first || operations <= MAX_OPERATIONS
        })
        .count()
        .max(1)
}
