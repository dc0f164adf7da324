//! Asking for a scrape.

use std::time::Duration;

use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

/// How long a scrape may wait for the database and for the events that belong to it.
pub const MAX_BARRIER: Duration = Duration::from_millis(250);

/// How long it may wait at least, however little time it says it has, or has left after it queued behind another.
pub(crate) const MIN_BARRIER: Duration = Duration::from_millis(10);

/// The share of the scraper's own timeout that a scrape may wait. The rest is for the answer to travel.
const BARRIER_SHARE: f64 = 0.8;

/// Scrapes that may wait in the channel. Further ones wait before it.
const MAX_WAITING: usize = 64;

/// The metrics task has ended, because the bus was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the service is shutting down")]
pub struct Stopped;

/// Asks the metrics task for scrapes. Clones ask the same one.
#[derive(Debug)]
pub struct Scraper<T> {
    scrapes: mpsc::Sender<Scrape<T>>,
}

impl<T> Clone for Scraper<T> {
    fn clone(&self) -> Self {
        Self { scrapes: self.scrapes.clone() }
    }
}

/// A scrape that waits for its answer.
#[derive(Debug)]
pub(crate) struct Scrape<T> {
    /// When it has to stop waiting for the database and for events.
    pub(crate) deadline: Instant,
    pub(crate) answer: oneshot::Sender<T>,
}

pub(crate) fn channel<T>() -> (Scraper<T>, mpsc::Receiver<Scrape<T>>) {
    let (sender, receiver) = mpsc::channel(MAX_WAITING);
    (Scraper { scrapes: sender }, receiver)
}

impl<T> Scraper<T> {
    /// The metrics, at a moment after the call. `timeout` is how long the caller waits at most, where that is
    /// known.
    pub async fn scrape(&self, timeout: Option<Duration>) -> Result<T, Stopped> {
        let barrier = timeout.map_or(MAX_BARRIER, |timeout| timeout.mul_f64(BARRIER_SHARE).min(MAX_BARRIER));
        let (answer, answered) = oneshot::channel();
        let scrape = Scrape { deadline: Instant::now() + barrier, answer };
        self.scrapes.send(scrape).await.map_err(|_closed| Stopped)?;
        answered.await.map_err(|_dropped| Stopped)
    }
}
