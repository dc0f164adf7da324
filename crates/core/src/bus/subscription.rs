//! Subscriptions: a position in the log that advances.

use std::{collections::VecDeque, sync::Arc};

use async_broadcast::{Receiver, RecvError};
use tokio::sync::watch;
use tokio_stream::Stream;

use super::stats::SubscriberStats;
use crate::event::{
    EventEnvelope, Seq,
    log::{EventLog, LogError, contiguous},
};

/// Number of events that one read of the log requests.
const PAGE: usize = 500;

/// Every event after a position, exactly once and in order. It follows the bus, and reads from the log what
/// the bus no longer has.
pub struct Subscription {
    receiver: Receiver<EventEnvelope>,
    /// The log, for events that the channel no longer has.
    log: Arc<dyn EventLog>,
    /// The last event published.
    head: watch::Receiver<Seq>,
    /// The sequence number of the next event.
    next: Seq,
    /// Up to this sequence number, events are read from the log instead of the bus.
    catch_up_to: Seq,
    /// Events that were read from the log and not yet returned.
    buffer: VecDeque<EventEnvelope>,
    stats: Arc<SubscriberStats>,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.stats.closed();
    }
}

impl Subscription {
    /// The events after a position, or those from now on. Events that are published from now on arrive on the
    /// `receiver`.
    pub(super) fn new(
        receiver: Receiver<EventEnvelope>,
        log: Arc<dyn EventLog>,
        head: watch::Receiver<Seq>,
        after: Option<Seq>,
        stats: Arc<SubscriberStats>,
    ) -> Self {
        let catch_up_to = *head.borrow();
        let after = after.unwrap_or(catch_up_to);
        stats.opened(after);
        Self { receiver, log, head, next: after.next(), catch_up_to, buffer: VecDeque::new(), stats }
    }

    /// The next event; `None` after the last one of a closed bus. After an error it may be called again,
    /// which retries the same event. It is cancel safe.
    pub async fn next(&mut self) -> Result<Option<EventEnvelope>, LogError> {
        // The channel knows nothing of tokio's budget: without this, a subscriber that is always busy would
        // keep its worker thread to itself.
        tokio::task::coop::consume_budget().await;
        loop {
            if let Some(event) = self.buffer.pop_front() {
                return Ok(Some(self.step(event)));
            }
            if self.next <= self.catch_up_to {
                self.read_log().await?;
                continue;
            }
            match self.receiver.recv_direct().await {
                Ok(event) if event.seq == self.next => return Ok(Some(self.step(event))),
                // Read from the log already.
                Ok(event) if event.seq < self.next => {}
                Ok(event) => self.catch_up_to = event.seq,
                Err(RecvError::Overflowed(_)) => self.catch_up_to = self.published(),
                Err(RecvError::Closed) if self.next <= self.published() => {
                    self.catch_up_to = self.published();
                }
                Err(RecvError::Closed) => return Ok(None),
            }
        }
    }

    /// The sequence number of the event that [`Subscription::next`] will return.
    pub fn position(&self) -> Seq {
        self.next
    }

    /// Converts the subscription into a stream. The stream ends after an error.
    pub fn into_stream(self) -> impl Stream<Item = Result<EventEnvelope, LogError>> + Send + 'static {
        futures::stream::unfold(Some(self), |subscription| async {
            let mut subscription = subscription?;
            match subscription.next().await {
                Ok(Some(event)) => Some((Ok(event), Some(subscription))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    pub(super) fn stats(&self) -> &Arc<SubscriberStats> {
        &self.stats
    }

    /// The last event published.
    fn published(&self) -> Seq {
        *self.head.borrow()
    }

    fn step(&mut self, event: EventEnvelope) -> EventEnvelope {
        self.next = event.seq.next();
        self.stats.reached(event.seq);
        event
    }

    async fn read_log(&mut self) -> Result<(), LogError> {
        let after = self.next.previous();
        let page = self.log.read(after, PAGE).await?;
        contiguous(after, &page)?;
        if page.is_empty() {
            return Err(LogError::Gap { expected: self.next, found: Seq::default() });
        }
        self.stats.read_from_log(page.len());
        self.buffer.extend(page);
        Ok(())
    }
}
