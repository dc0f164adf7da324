//! The contract of a subscriber, and the task that runs one.

use std::{
    error::Error,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use backon::{ExponentialBuilder, Retryable};
use futures::FutureExt;
use tokio::sync::watch;

use crate::{
    bus::Bus,
    event::{EventKind, Recorded, Seq},
    subscription::Subscription,
};

/// What a handler answers. An error is retried as the [`Policy`] says.
pub type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// Something that is done whenever a certain event happens.
///
/// It runs in a task of its own, after the commit, with the events one by one in the order of the log. It
/// cannot delay a write or another subscriber, whether it is slow, fails, panics or never returns, and it
/// misses nothing while the process lives. It starts with the events after its registration.
pub trait Subscriber: Send + Sync + 'static {
    /// The type of event that it wants, or [`crate::Event`] for all.
    type Event: EventKind;

    /// Its name, in logs and metrics.
    const NAME: &'static str;

    /// Handles one event.
    fn handle(&self, event: Recorded<Self::Event>) -> impl Future<Output = Outcome> + Send;

    /// What happens when it fails.
    fn policy(&self) -> Policy {
        Policy::default()
    }
}

/// What happens when a handler fails, panics or takes too long: it is tried again, each time after a longer
/// pause, and after the last attempt the event is given up with an error in the log and in the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How often an event is tried in all; at least once.
    pub attempts: usize,
    /// The pause before the second attempt. It doubles with each further one.
    pub pause: Duration,
    /// How long one attempt may take.
    pub timeout: Duration,
}

impl Default for Policy {
    /// Three attempts of at most 30 s, the second after 100 ms.
    fn default() -> Self {
        Self { attempts: 3, pause: Duration::from_millis(100), timeout: Duration::from_secs(30) }
    }
}

/// The longest pause between two attempts, and between two reads of a log that does not answer.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// One named subscriber in figures.
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
    pub(crate) fn new(name: &'static str, head: Seq) -> Self {
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

    /// The last event that was given to it.
    pub fn position(&self) -> Seq {
        Seq(self.position.load(Ordering::Relaxed))
    }

    /// How many events up to `head` were not given to it yet: none when it has no subscription open. Where
    /// several share its name, it is told of the one that took an event last.
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

    /// Attempts after a first one.
    pub fn retried(&self) -> u64 {
        self.retried.load(Ordering::Relaxed)
    }

    /// Events that the bus no longer had, or not yet, and that were read from the log.
    pub fn read_from_log_total(&self) -> u64 {
        self.log_reads.load(Ordering::Relaxed)
    }

    pub(crate) fn opened(&self, after: Seq) {
        self.reached(after);
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn reached(&self, seq: Seq) {
        self.position.store(seq.0, Ordering::Relaxed);
    }

    pub(crate) fn read_from_log(&self, events: usize) {
        self.log_reads.fetch_add(events as u64, Ordering::Relaxed);
    }
}

/// How many subscriber tasks are running.
#[derive(Debug)]
pub(crate) struct Tasks(watch::Sender<usize>);

impl Default for Tasks {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Tasks {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.send_modify(|running| *running += 1);
        let running = self.0.clone();
        tokio::spawn(async move {
            // Contained once more, so that a defect here cannot make the shutdown wait for ever.
            let _panic = AssertUnwindSafe(task).catch_unwind().await;
            running.send_modify(|running| *running -= 1);
        });
    }

    pub(crate) async fn drained(&self) {
        // Cannot fail: the sender is ours.
        let mut running = self.0.subscribe();
        let _closed = running.wait_for(|running| *running == 0).await;
    }
}

impl Bus {
    /// Starts a subscriber with the events from now on.
    pub fn register<S: Subscriber>(&self, subscriber: S) {
        let subscription = self.subscribe(S::NAME);
        self.tasks().spawn(run(subscriber, subscription));
    }

    /// Starts a subscriber that is a closure. The same contract as [`Subscriber`], for the short ones.
    pub fn on<E, F, R>(&self, name: &'static str, handle: F)
    where
        E: EventKind,
        F: Fn(Recorded<E>) -> R + Send + Sync + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        let subscription = self.subscribe(name);
        self.tasks().spawn(follow(subscription, Policy::default(), handle));
    }
}

async fn run<S: Subscriber>(subscriber: S, subscription: Subscription) {
    let policy = subscriber.policy();
    let subscriber = Arc::new(subscriber);
    follow(subscription, policy, move |event| {
        let subscriber = Arc::clone(&subscriber);
        async move { subscriber.handle(event).await }
    })
    .await;
}

async fn follow<E, F, R>(mut subscription: Subscription, policy: Policy, handle: F)
where
    E: EventKind,
    F: Fn(Recorded<E>) -> R,
    R: Future<Output = Outcome> + Send,
{
    let stats = Arc::clone(subscription.stats());
    let mut pause = policy.pause;
    loop {
        match subscription.next().await {
            Ok(Some(recorded)) => {
                pause = policy.pause;
                if let Some(event) = recorded.pick::<E>() {
                    deliver(&stats, policy, &event, &handle).await;
                }
            }
            Ok(None) => return,
            Err(error) => {
                tracing::error!(subscriber = stats.name, %error, "cannot go on; trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
        }
    }
}

async fn deliver<E, F, R>(stats: &SubscriberStats, policy: Policy, event: &Recorded<E>, handle: &F)
where
    E: EventKind,
    F: Fn(Recorded<E>) -> R,
    R: Future<Output = Outcome> + Send,
{
    let pauses = ExponentialBuilder::default()
        .with_min_delay(policy.pause)
        .with_max_delay(MAX_PAUSE)
        .with_max_times(policy.attempts.saturating_sub(1));
    let attempt = || attempt(policy.timeout, || handle(event.clone()));
    let outcome = attempt
        .retry(pauses)
        .notify(|error, _pause| {
            stats.retried.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(subscriber = stats.name, seq = %event.seq, %error, "failed; trying again");
        })
        .await;
    match outcome {
        Ok(()) => {
            stats.handled.fetch_add(1, Ordering::Relaxed);
        }
        Err(error) => {
            stats.failed.fetch_add(1, Ordering::Relaxed);
            tracing::error!(subscriber = stats.name, seq = %event.seq, %error, "gave up an event");
        }
    }
}

async fn attempt<R: Future<Output = Outcome> + Send>(
    timeout: Duration,
    handle: impl FnOnce() -> R,
) -> Outcome {
    // The call itself is inside, since a handler may panic before it returns its future.
    let handled = AssertUnwindSafe(async { handle().await }).catch_unwind();
    match tokio::time::timeout(timeout, handled).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(format!("panicked: {}", panic_message(&*panic)).into()),
        Err(_elapsed) => Err(format!("took longer than {timeout:?}").into()),
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
