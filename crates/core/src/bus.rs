//! The bus: the tail of the log, broadcast within the process.
//!
//! The channel is lossy and never makes the publisher wait. That is safe because nobody reads it directly:
//! a [`Subscription`] follows contiguous places and reads the log for whatever the channel dropped.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use async_broadcast::{InactiveReceiver, Sender};
use tokio::sync::watch;

use crate::{
    event::{Recorded, Seq},
    log::EventLog,
    subscriber::{SubscriberStats, Tasks},
    subscription::Subscription,
};

/// How many events the channel holds unless told otherwise. A subscriber that falls further behind reads the
/// log, so this bounds memory, not correctness.
pub const DEFAULT_CAPACITY: usize = 1024;

/// Opens a bus over a log whose last event is at `head`. What is committed after that is published through
/// the [`Publisher`], by one task, in the order of the log.
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
            tasks: Tasks::default(),
        }),
    };
    (Publisher { sender, head, bus: bus.clone() }, bus)
}

/// The hand that publishes. There is one, and it belongs to whoever tails the log.
#[derive(Debug)]
pub struct Publisher {
    sender: Sender<Recorded>,
    head: watch::Sender<Seq>,
    bus: Bus,
}

impl Publisher {
    /// Publishes the next event of the log. Never waits. An event that is not the next one is a defect of
    /// the caller; it is logged, and subscribers find the truth in the log.
    pub fn publish(&self, event: Recorded) {
        let seq = event.seq;
        let head = *self.head.borrow();
        if seq != head.next() {
            tracing::error!(%seq, %head, "an event was published out of order");
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

/// Where subscribers attach. Clones are the same bus.
#[derive(Clone)]
pub struct Bus {
    shared: Arc<Shared>,
    /// Where subscriptions read what the channel no longer has.
    log: Arc<dyn EventLog>,
}

struct Shared {
    receiver: InactiveReceiver<Recorded>,
    head: watch::Receiver<Seq>,
    published: AtomicU64,
    subscribers: Mutex<Vec<Arc<SubscriberStats>>>,
    tasks: Tasks,
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus").field("head", &self.head()).finish_non_exhaustive()
    }
}

/// The bus in figures.
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
    /// The same bus for subscriptions that read the log in another way, such as over other connections.
    #[must_use]
    pub fn with_log(&self, log: Arc<dyn EventLog>) -> Self {
        Self { shared: Arc::clone(&self.shared), log }
    }

    /// Events from now on.
    pub fn subscribe(&self, name: &'static str) -> Subscription {
        self.subscription(None, self.named(name))
    }

    /// Events after a place: first from the log, then live, without a seam.
    pub fn subscribe_after(&self, name: &'static str, after: Seq) -> Subscription {
        self.subscription(Some(after), self.named(name))
    }

    fn subscription(&self, after: Option<Seq>, stats: Arc<SubscriberStats>) -> Subscription {
        // The receiver first, then the head: what is published between the two is received and recognised
        // as old. The other way round it would be in neither.
        let receiver = self.shared.receiver.activate_cloned();
        let head = self.head();
        Subscription::new(receiver, self.clone(), after.unwrap_or(head), head, stats)
    }

    /// The last event published.
    pub fn head(&self) -> Seq {
        *self.shared.head.borrow()
    }

    /// Waits until an event has been published. Returns at once if it was; never, if it will not be.
    pub async fn published(&self, seq: Seq) {
        let mut head = self.shared.head.clone();
        // Fails when the publisher is gone: then there is nothing to wait for.
        let _closed = head.wait_for(|head| *head >= seq).await;
    }

    /// The bus in figures.
    pub fn stats(&self) -> BusStats {
        BusStats {
            head: self.head(),
            published: self.shared.published.load(Ordering::Relaxed),
            queued: self.shared.receiver.len(),
            capacity: self.shared.receiver.capacity(),
            subscribers: self.shared.subscribers.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Waits until every subscriber that was registered has ended, which they do after the bus is closed
    /// and they have handled the rest.
    pub async fn drained(&self) {
        self.shared.tasks.drained().await;
    }

    pub(crate) fn log(&self) -> &dyn EventLog {
        &*self.log
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.shared.tasks
    }

    /// The figures of a name. Subscriptions that share a name share them.
    pub(crate) fn named(&self, name: &'static str) -> Arc<SubscriberStats> {
        let mut subscribers = self.shared.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = subscribers.iter().find(|known| known.name == name) {
            return Arc::clone(known);
        }
        let stats = Arc::new(SubscriberStats::new(name, self.head()));
        subscribers.push(Arc::clone(&stats));
        stats
    }
}
