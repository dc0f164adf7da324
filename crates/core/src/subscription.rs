//! A place in the log that moves forward.

use std::{collections::VecDeque, sync::Arc};

use async_broadcast::{Receiver, RecvError};
use tokio_stream::Stream;

use crate::{
    bus::Bus,
    event::{Recorded, Seq},
    log::{LogError, contiguous},
    subscriber::SubscriberStats,
};

/// How many events one read of the log asks for.
const PAGE: usize = 500;

/// Every event after a place, once, in order. It follows the bus, and reads the log for what the bus no
/// longer has.
pub struct Subscription {
    receiver: Receiver<Recorded>,
    bus: Bus,
    /// The place of the event that is due.
    next: Seq,
    /// While `next` is not past this, the log is read instead of the bus.
    catch_up_to: Seq,
    /// Events that were read from the log and not yet returned.
    buffer: VecDeque<Recorded>,
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
    pub(crate) fn new(
        receiver: Receiver<Recorded>,
        bus: Bus,
        after: Seq,
        head: Seq,
        stats: Arc<SubscriberStats>,
    ) -> Self {
        stats.opened(after);
        Self { receiver, bus, next: after.next(), catch_up_to: head, buffer: VecDeque::new(), stats }
    }

    /// The next event; `None` after the last one of a closed bus. After an error it may be called again: it
    /// tries the same event once more. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Option<Recorded>, LogError> {
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
                Err(RecvError::Overflowed(_)) => self.catch_up_to = self.bus.head(),
                Err(RecvError::Closed) if self.next <= self.bus.head() => self.catch_up_to = self.bus.head(),
                Err(RecvError::Closed) => return Ok(None),
            }
        }
    }

    /// The place of the event that [`Subscription::next`] will return.
    pub fn position(&self) -> Seq {
        self.next
    }

    /// The same as a stream. It ends after an error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Recorded, LogError>> + Send + 'static {
        futures::stream::unfold(Some(self), |subscription| async {
            let mut subscription = subscription?;
            match subscription.next().await {
                Ok(Some(event)) => Some((Ok(event), Some(subscription))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    pub(crate) fn stats(&self) -> &Arc<SubscriberStats> {
        &self.stats
    }

    fn step(&mut self, event: Recorded) -> Recorded {
        self.next = event.seq.next();
        self.stats.reached(event.seq);
        event
    }

    async fn read_log(&mut self) -> Result<(), LogError> {
        let after = self.next.previous();
        let page = self.bus.log().read(after, PAGE).await?;
        contiguous(after, &page)?;
        if page.is_empty() {
            return Err(LogError::Gap { expected: self.next, found: Seq::default() });
        }
        self.stats.read_from_log(page.len());
        self.buffer.extend(page);
        Ok(())
    }
}
