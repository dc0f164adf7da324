//! Statistics of a subscriber.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::event::Seq;

/// Statistics of one named subscriber.
#[derive(Debug)]
pub struct SubscriberStats {
    /// Its name.
    pub name: &'static str,
    position: AtomicU64,
    open: AtomicUsize,
    handled: AtomicU64,
    failed: AtomicU64,
    retried: AtomicU64,
    log_reads: AtomicU64,
}

impl SubscriberStats {
    pub(super) fn new(name: &'static str, head: Seq) -> Self {
        Self {
            name,
            position: AtomicU64::new(head.0),
            open: AtomicUsize::new(0),
            handled: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            log_reads: AtomicU64::new(0),
        }
    }

    /// The last event that was delivered to it.
    pub fn position(&self) -> Seq {
        Seq(self.position.load(Ordering::Relaxed))
    }

    /// The number of events up to `head` that were not delivered to it yet; 0 when it has no open
    /// subscription. If several subscriptions share its name, this is the lag of the one that took an event
    /// last.
    pub fn lag(&self, head: Seq) -> u64 {
        if self.open.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        head.0.saturating_sub(self.position().0)
    }

    /// Events that it handled.
    pub fn handled(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }

    /// Events that were given up after the last attempt.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Retries.
    pub fn retried(&self) -> u64 {
        self.retried.load(Ordering::Relaxed)
    }

    /// Events that the bus no longer had, or not yet, and that were read from the log.
    pub fn read_from_log_total(&self) -> u64 {
        self.log_reads.load(Ordering::Relaxed)
    }

    pub(super) fn opened(&self, after: Seq) {
        self.reached(after);
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn reached(&self, seq: Seq) {
        self.position.store(seq.0, Ordering::Relaxed);
    }

    pub(super) fn count_handled(&self) {
        self.handled.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_retried(&self) {
        self.retried.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read_from_log(&self, events: usize) {
        self.log_reads.fetch_add(events as u64, Ordering::Relaxed);
    }
}
