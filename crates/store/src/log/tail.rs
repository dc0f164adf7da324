//! The one task that publishes: the events of this process as the writer hands them over, and those of other
//! processes from the log, in the order of the log.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use inventory_core::{CoreTask, Event, EventEnvelope, EventLog, LogError, Publisher, Seq};
use tokio::sync::{Notify, mpsc};

use crate::{db::database::Database, log::Log};

/// How many events one read of the log asks for.
const PAGE: usize = 500;
/// After how many events the subscribers get a turn: far fewer than the bus holds, so that who keeps up with
/// single events keeps up with a large batch, and need not read it from the log.
const BREATH: u64 = 64;

/// Follows the log with the tailer, ahead of the bus.
pub(crate) trait Observer: Send + 'static {
    /// The next event of the log.
    fn event(&self, event: &Event);

    /// Everything that was committed up to this moment has been passed to [`Observer::event`].
    fn current_at(&self, moment: Instant);
}

pub(crate) struct Tailer<O> {
    pub(crate) publisher: Publisher,
    pub(crate) log: Log,
    pub(crate) database: Database,
    pub(crate) observer: O,
    /// What the writer committed: contiguous within a batch, and the batches in order.
    pub(crate) committed: mpsc::UnboundedReceiver<Vec<EventEnvelope>>,
    /// Rung when someone wants the log to be looked at now.
    pub(crate) nudge: Arc<Notify>,
    pub(crate) poll: Duration,
    /// Set when the log is broken. Publishing stops, loudly, rather than skip an event.
    pub(crate) halted: Arc<AtomicBool>,
    pub(crate) halted_since: Option<Instant>,
}

impl<O: Observer> CoreTask for Tailer<O> {
    const NAME: &'static str = "tailer";

    /// Runs until the writer is gone and everything that was committed is published; then closes the bus.
    async fn run(&mut self) {
        let mut poll = tokio::time::interval(self.poll);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                // First, so that it comes to its turn also where this process commits without a pause.
                _ = poll.tick() => self.catch_up().await,
                batch = self.committed.recv() => match batch {
                    Some(batch) => self.publish(batch).await,
                    None => break,
                },
                () = self.nudge.notified() => self.catch_up().await,
            }
        }
        self.publisher.close();
    }
}

impl<O: Observer> Tailer<O> {
    /// Publishes a batch, and before it whatever other processes committed in between.
    async fn publish(&mut self, batch: Vec<EventEnvelope>) {
        if batch.first().is_some_and(|first| first.seq > self.publisher.head().next()) {
            self.catch_up().await;
        }
        for event in batch {
            if event.seq == self.publisher.head().next() {
                self.publish_next(event).await;
            }
        }
    }

    async fn publish_next(&mut self, event: EventEnvelope) {
        let Seq(seq) = event.seq;
        self.observer.event(&event.data);
        self.publisher.publish(event);
        if seq.is_multiple_of(BREATH) {
            tokio::task::yield_now().await;
        }
    }

    /// Publishes from the log until its end.
    async fn catch_up(&mut self) {
        loop {
            let head = self.publisher.head();
            let asked = Instant::now();
            let page = match self.log.read(head, PAGE).await {
                Ok(page) => page,
                Err(error) => return self.failed(head, &error),
            };
            match self.database.verify_file() {
                Ok(()) => self.database.availability.answered(),
                Err(error) => self.database.availability.failed(&error.to_string()),
            }
            let full = page.len() == PAGE;
            for event in page {
                let expected = self.publisher.head().next();
                if event.seq != expected {
                    return self.failed(head, &LogError::Gap { expected, found: event.seq });
                }
                self.publish_next(event).await;
            }
            if !full {
                self.observer.current_at(asked);
                if self.halted.swap(false, Ordering::Relaxed) {
                    let since = self.halted_since.take();
                    let duration_ms = since.and_then(|since| u64::try_from(since.elapsed().as_millis()).ok());
                    tracing::info!(head = %self.publisher.head(), duration_ms, "event log readable again");
                }
                return;
            }
        }
    }

    fn failed(&mut self, head: Seq, error: &LogError) {
        if let LogError::Unavailable(reason) = error {
            self.database.availability.failed(reason);
        } else if !self.halted.swap(true, Ordering::Relaxed) {
            self.halted_since = Some(Instant::now());
            tracing::error!(%head, %error, "event log broken, no event is published until it is repaired");
        }
    }
}
