//! The event log, as a subscriber sees it.

use futures::future::BoxFuture;

use super::{EventEnvelope, Seq};

/// Why the log cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The database does not answer; it may later.
    #[error("the event log cannot be read: {0}")]
    Unavailable(String),
    /// The database refuses the question for a reason that the service does not know.
    #[error("the event log cannot be read: {0}")]
    Failed(String),
    /// An event that must be there is not. Nothing is skipped: a person has to look.
    #[error("the event log is broken: event {expected} is missing, and {found} comes next")]
    Gap {
        /// The event that should come next.
        expected: Seq,
        /// The event that is there instead; zero where there is none.
        found: Seq,
    },
    /// The data of an event is not what its type says.
    #[error("the event log is broken: event {seq} cannot be read: {reason}")]
    Corrupt {
        /// The event.
        seq: Seq,
        /// Why.
        reason: String,
    },
}

/// Events by their place, from where they are kept for good.
pub trait EventLog: Send + Sync + 'static {
    /// Reads at most `limit` committed events after a position, oldest first. The result is empty at the
    /// head.
    fn read(&self, after: Seq, limit: usize) -> BoxFuture<'_, Result<Vec<EventEnvelope>, LogError>>;
}

/// Events in the order of the log, with none left out, or the place of the first that is missing.
pub(crate) fn contiguous(after: Seq, events: &[EventEnvelope]) -> Result<(), LogError> {
    let mut expected = after.next();
    for event in events {
        if event.seq != expected {
            return Err(LogError::Gap { expected, found: event.seq });
        }
        expected = expected.next();
    }
    Ok(())
}
