//! A log that is kept in memory, for examples and for the tests of subscribers.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::{BoxFuture, FutureExt};
use uuid::Uuid;

use crate::{
    bus::{Bus, Publisher, bus},
    event::{
        Event, EventEnvelope, EventId, Origin, Seq,
        log::{EventLog, LogError},
    },
    model::{actor::Actor, clock::Clock},
};

/// An event log in memory with a bus that carries its tail. What is recorded is gone with the process.
#[derive(Debug, Clone)]
pub struct MemoryLog {
    events: Arc<Mutex<Vec<EventEnvelope>>>,
    origin: Origin,
}

impl MemoryLog {
    /// An empty log with its recorder, and its bus with the given capacity in events.
    pub fn with_bus(capacity: usize) -> (Recorder, Bus) {
        let log = Self { events: Arc::default(), origin: Origin::generate() };
        let (publisher, bus) = bus(Arc::new(log.clone()), Seq::default(), capacity);
        (Recorder { log, publisher }, bus)
    }
}

impl EventLog for MemoryLog {
    fn read(&self, after: Seq, limit: usize) -> BoxFuture<'_, Result<Vec<EventEnvelope>, LogError>> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let after = usize::try_from(after.0).unwrap_or(usize::MAX);
        let page = events.iter().skip(after).take(limit).cloned().collect();
        futures::future::ready(Ok(page)).boxed()
    }
}

/// Records events in a [`MemoryLog`] and publishes them.
#[derive(Debug)]
pub struct Recorder {
    log: MemoryLog,
    publisher: Publisher,
}

impl Recorder {
    /// The origin of what is recorded.
    pub fn origin(&self) -> Origin {
        self.log.origin
    }

    /// Records an event of this process and publishes it.
    pub fn record(&self, event: impl Into<Event>) -> EventEnvelope {
        self.record_from(self.log.origin, event)
    }

    /// Records an event as another process would have and publishes it.
    pub fn record_from(&self, origin: Origin, event: impl Into<Event>) -> EventEnvelope {
        let mut events = self.log.events.lock().unwrap_or_else(PoisonError::into_inner);
        let recorded = EventEnvelope {
            seq: Seq(events.len() as u64 + 1),
            id: EventId(Uuid::now_v7()),
            origin,
            actor: Actor::system(),
            trace: None,
            occurred_at: Clock::system().now(),
            data: event.into(),
        };
        events.push(recorded.clone());
        // Published under the lock, so that the order of the bus is that of the log.
        self.publisher.publish(recorded.clone());
        recorded
    }

    /// Closes the bus: subscribers get what they have not seen yet, and end.
    pub fn close(&self) {
        self.publisher.close();
    }
}
