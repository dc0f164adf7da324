//! The task that runs a subscriber.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use backon::{ExponentialBuilder, Retryable};
use futures::FutureExt;

use super::{
    Bus,
    stats::SubscriberStats,
    subscriber::{HandlerResult, RetryPolicy, Subscriber},
    subscription::Subscription,
};
use crate::event::{EventEnvelope, EventKind};

/// Maximum back-off between two attempts, and between two reads of a log that does not answer.
const MAX_PAUSE: Duration = Duration::from_secs(10);

impl Bus {
    /// Starts a subscriber at the next event.
    pub fn register<S: Subscriber>(&self, subscriber: S) {
        let subscription = self.subscribe(S::NAME);
        self.shared.tasks.spawn(run(subscriber, subscription));
    }

    /// Starts a subscriber from a closure. The contract is that of [`Subscriber`].
    pub fn on<E, F, R>(&self, name: &'static str, handle: F)
    where
        E: EventKind,
        F: Fn(EventEnvelope<E>) -> R + Send + Sync + 'static,
        R: Future<Output = HandlerResult> + Send + 'static,
    {
        let subscription = self.subscribe(name);
        self.shared.tasks.spawn(follow(subscription, RetryPolicy::default(), handle));
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

async fn follow<E, F, R>(mut subscription: Subscription, policy: RetryPolicy, handle: F)
where
    E: EventKind,
    F: Fn(EventEnvelope<E>) -> R,
    R: Future<Output = HandlerResult> + Send,
{
    let stats = Arc::clone(subscription.stats());
    let mut pause = policy.initial_backoff;
    loop {
        match subscription.next().await {
            Ok(Some(recorded)) => {
                pause = policy.initial_backoff;
                if let Some(event) = recorded.downcast::<E>() {
                    deliver(&stats, policy, &event, &handle).await;
                }
            }
            Ok(None) => return,
            Err(error) => {
                tracing::error!(subscriber = stats.name, %error, "subscriber cannot read events, retrying");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
        }
    }
}

async fn deliver<E, F, R>(stats: &SubscriberStats, policy: RetryPolicy, event: &EventEnvelope<E>, handle: &F)
where
    E: EventKind,
    F: Fn(EventEnvelope<E>) -> R,
    R: Future<Output = HandlerResult> + Send,
{
    let pauses = ExponentialBuilder::default()
        .with_min_delay(policy.initial_backoff)
        .with_max_delay(MAX_PAUSE)
        .with_max_times(policy.attempts.saturating_sub(1));
    let attempt = || attempt(policy.timeout, || handle(event.clone()));
    let outcome = attempt
        .retry(pauses)
        .notify(|error, _pause| {
            stats.count_retried();
            tracing::warn!(subscriber = stats.name, seq = %event.seq, %error, "subscriber failed, retrying");
        })
        .await;
    match outcome {
        Ok(()) => stats.count_handled(),
        Err(error) => {
            stats.count_failed();
            tracing::error!(subscriber = stats.name, seq = %event.seq, %error, "subscriber gave up an event");
        }
    }
}

async fn attempt<R: Future<Output = HandlerResult> + Send>(
    timeout: Duration,
    handle: impl FnOnce() -> R,
) -> HandlerResult {
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
