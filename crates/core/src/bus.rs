//! The bus: the tail of the log, broadcast within the process.
//!
//! The channel is lossy and never makes the publisher wait. That is safe because nobody reads it directly: a
//! [`Subscription`] follows contiguous sequence numbers, and reads from the log what the channel dropped.

mod runner;
mod stats;
mod subscriber;
mod subscription;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use async_broadcast::{InactiveReceiver, Sender};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

pub use self::{
    stats::SubscriberStats,
    subscriber::{HandlerResult, RetryPolicy, Subscriber},
    subscription::Subscription,
};
use crate::event::{EventEnvelope, Seq, log::EventLog};

/// Default capacity of the channel, in events. A subscriber that falls further behind reads the log, so the
/// capacity bounds memory and does not affect correctness.
pub const DEFAULT_CAPACITY: usize = 1024;

/// Opens a bus over a log whose last event is at `head`. One task publishes later events through the
/// [`Publisher`], in the order of the log.
pub fn bus(log: Arc<dyn EventLog>, head: Seq, capacity: usize) -> (Publisher, Bus) {
    let (mut sender, receiver) = async_broadcast::broadcast(capacity.max(1));
    // The publisher never waits: not for a slow subscriber, and not for a first one.
    sender.set_overflow(true);
    sender.set_await_active(false);
    let (head, watch) = watch::channel(head);
    let bus = Bus {
        log,
        shared: Arc::new(Shared {
            // Kept for life: without a receiver the channel would close for ever.
            receiver: receiver.deactivate(),
            head: watch,
            published: AtomicU64::new(0),
            subscribers: Mutex::default(),
            tasks: TaskTracker::new(),
        }),
    };
    (Publisher { sender, head, bus: bus.clone() }, bus)
}

/// The bus's only publishing handle, owned by the log tailer.
#[derive(Debug)]
pub struct Publisher {
    sender: Sender<EventEnvelope>,
    head: watch::Sender<Seq>,
    bus: Bus,
}

impl Publisher {
    /// Publishes the next event of the log. Never waits. An event that is not the next one is a bug of the
    /// caller; it is logged, and subscribers read the missing events from the log.
    pub fn publish(&self, event: EventEnvelope) {
        let seq = event.seq;
        let head = *self.head.borrow();
        if seq != head.next() {
            tracing::error!(%seq, %head, "event published out of order");
            return;
        }
        // Fails only when nobody listens or the bus is closed; the log has the event in either case.
        let _dropped_or_unheard = self.sender.try_broadcast(event);
        self.bus.shared.published.fetch_add(1, Ordering::Relaxed);
        self.head.send_replace(seq);
    }

    /// The last event published.
    pub fn head(&self) -> Seq {
        *self.head.borrow()
    }

    /// Closes the bus. Subscriptions deliver what they have not delivered yet, and end.
    pub fn close(&self) {
        self.sender.close();
    }
}

/// The event bus, to which subscribers attach. Clones share it.
#[derive(Clone)]
pub struct Bus {
    shared: Arc<Shared>,
    /// The log, from which subscriptions read what the channel no longer has.
    log: Arc<dyn EventLog>,
}

struct Shared {
    receiver: InactiveReceiver<EventEnvelope>,
    head: watch::Receiver<Seq>,
    published: AtomicU64,
    subscribers: Mutex<Vec<Arc<SubscriberStats>>>,
    /// The tasks of the subscribers that were registered.
    tasks: TaskTracker,
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus").field("head", &self.head()).finish_non_exhaustive()
    }
}

/// Statistics of the bus.
#[derive(Debug, Clone)]
pub struct BusStats {
    /// The last event published.
    pub head: Seq,
    /// Events published since the bus was opened.
    pub published: u64,
    /// Events now in the channel.
    pub queued: usize,
    /// Events that the channel holds at most.
    pub capacity: usize,
    /// Every subscriber that has a name, in the order of registration.
    pub subscribers: Vec<Arc<SubscriberStats>>,
}

impl Bus {
    /// The same bus, with another log reader for its subscriptions, such as one with other connections.
    #[must_use]
    pub fn with_log(&self, log: Arc<dyn EventLog>) -> Self {
        Self { shared: Arc::clone(&self.shared), log }
    }

    /// Subscribes to events from now on.
    pub fn subscribe(&self, name: &'static str) -> Subscription {
        self.subscription(None, self.named(name))
    }

    /// Subscribes to the events after a position: first from the log, then live, without a gap.
    pub fn subscribe_after(&self, name: &'static str, after: Seq) -> Subscription {
        self.subscription(Some(after), self.named(name))
    }

    fn subscription(&self, after: Option<Seq>, stats: Arc<SubscriberStats>) -> Subscription {
        // The receiver first, then the head: what is published between the two is received and recognised
        // as old. The other way round it would be in neither.
        let receiver = self.shared.receiver.activate_cloned();
        Subscription::new(receiver, Arc::clone(&self.log), self.shared.head.clone(), after, stats)
    }

    /// The last event published.
    pub fn head(&self) -> Seq {
        *self.shared.head.borrow()
    }

    /// Waits until an event has been published. Returns at once if it already was.
    pub async fn published(&self, seq: Seq) {
        let mut head = self.shared.head.clone();
        // Fails when the publisher is gone: then there is nothing to wait for.
        let _closed = head.wait_for(|head| *head >= seq).await;
    }

    /// Statistics of the bus.
    pub fn stats(&self) -> BusStats {
        BusStats {
            head: self.head(),
            published: self.shared.published.load(Ordering::Relaxed),
            queued: self.shared.receiver.len(),
            capacity: self.shared.receiver.capacity(),
            subscribers: self.shared.subscribers.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Waits until all registered subscribers have ended. They end after the bus is closed and they have
    /// handled the remaining events.
    pub async fn join(&self) {
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }

    /// The statistics under a name. Subscriptions with the same name share them.
    fn named(&self, name: &'static str) -> Arc<SubscriberStats> {
        let mut subscribers = self.shared.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = subscribers.iter().find(|known| known.name == name) {
            return Arc::clone(known);
        }
        let stats = Arc::new(SubscriberStats::new(name, self.head()));
        subscribers.push(Arc::clone(&stats));
        stats
    }
}
