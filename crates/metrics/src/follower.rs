//! The part of the task that follows the bus and counts.

use std::time::Duration;

use inventory_core::{Event, EventEnvelope, LogError, Origin, Seq, Subscription};
use tokio::time::Instant;

use crate::instruments::Counters;

/// The pause after the first failed read of the log. It doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause between two reads of a log that does not answer.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// Why a place was not reached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReached {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the bus is closed")]
    Ended,
}

/// Follows the log from a place and counts the events of one process.
pub(crate) struct Follower {
    subscription: Subscription,
    origin: Origin,
    counters: Counters,
    /// Events followed, of any process.
    followed: u64,
    /// Whether a component was created or deleted, by any process, since this was last asked.
    count_changed: bool,
    /// Not before this is a log that failed read again.
    resume_at: Option<Instant>,
    pause: Duration,
}

impl Follower {
    pub(crate) fn new(subscription: Subscription, origin: Origin, counters: Counters) -> Self {
        Self {
            subscription,
            origin,
            counters,
            followed: 0,
            count_changed: false,
            resume_at: None,
            pause: FIRST_PAUSE,
        }
    }

    /// Counts the next event, whenever it comes. `false` after the last one of a closed bus. When the log
    /// fails it is tried again after a pause. Dropping the future loses nothing.
    pub(crate) async fn step(&mut self) -> bool {
        loop {
            if let Some(at) = self.resume_at {
                tokio::time::sleep_until(at).await;
                self.resume_at = None;
            }
            match self.subscription.next().await {
                Ok(Some(event)) => {
                    self.apply(&event);
                    return true;
                }
                Ok(None) => return false,
                Err(error) => {
                    tracing::error!(%error, "metrics cannot read the event log, retrying");
                    self.resume_at = Some(Instant::now() + self.pause);
                    self.pause = (self.pause * 2).min(MAX_PAUSE);
                }
            }
        }
    }

    /// Counts the events up to a place, and none after it. Returns at once when the log fails.
    pub(crate) async fn reach(&mut self, place: Seq) -> Result<(), NotReached> {
        while self.subscription.position() <= place {
            match self.subscription.next().await? {
                Some(event) => self.apply(&event),
                None => return Err(NotReached::Ended),
            }
        }
        Ok(())
    }

    /// Events followed, of any process.
    pub(crate) fn followed(&self) -> u64 {
        self.followed
    }

    /// Whether a component was created or deleted since this was last asked.
    pub(crate) fn take_count_changed(&mut self) -> bool {
        std::mem::take(&mut self.count_changed)
    }

    fn apply(&mut self, event: &EventEnvelope) {
        self.followed += 1;
        self.pause = FIRST_PAUSE;
        self.count_changed |= matches!(event.data, Event::ComponentCreated(_) | Event::ComponentDeleted(_));
        if event.origin == self.origin {
            self.counters.count(&event.data);
        }
    }
}
