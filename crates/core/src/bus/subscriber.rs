//! The contract of a subscriber.

use std::{error::Error, time::Duration};

use crate::event::{EventEnvelope, EventKind};

/// The result of a handler. After an error the event is retried as the [`RetryPolicy`] says.
pub type HandlerResult = Result<(), Box<dyn Error + Send + Sync>>;

/// A handler for events of one type.
///
/// It runs in a separate task, after the commit, and gets the events one by one in the order of the log. It
/// cannot delay a write or another subscriber, whether it is slow, fails, panics or never returns, and it
/// misses nothing while the process lives. It starts with the events after its registration.
pub trait Subscriber: Send + Sync + 'static {
    /// The type of event to handle, or [`crate::Event`] for all.
    type Event: EventKind;

    /// Its name, in logs and metrics.
    const NAME: &'static str;

    /// Handles one event.
    fn handle(&self, event: EventEnvelope<Self::Event>) -> impl Future<Output = HandlerResult> + Send;

    /// The retry policy.
    fn policy(&self) -> RetryPolicy {
        RetryPolicy::default()
    }
}

/// Retries with exponential back-off after a handler fails, panics or times out. After the last attempt the
/// event is given up, which is logged as an error and counted in the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Maximum number of attempts, at least 1.
    pub attempts: usize,
    /// The back-off before the second attempt. It doubles with each further attempt.
    pub initial_backoff: Duration,
    /// Timeout of one attempt.
    pub timeout: Duration,
}

impl Default for RetryPolicy {
    /// Three attempts of at most 30 s, the second after 100 ms.
    fn default() -> Self {
        Self { attempts: 3, initial_backoff: Duration::from_millis(100), timeout: Duration::from_secs(30) }
    }
}
