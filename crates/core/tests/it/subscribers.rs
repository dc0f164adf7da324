use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use inventory_core::{
    Bus, ComponentCreated, Event, EventEnvelope, HandlerResult, MemoryLog, RetryPolicy, Seq, Subscriber,
    SubscriberStats,
};

use crate::event;

type Seen = Arc<Mutex<Vec<Seq>>>;

fn stats(bus: &Bus, name: &str) -> Arc<SubscriberStats> {
    bus.stats().subscribers.into_iter().find(|stats| stats.name == name).unwrap()
}

/// Handles at the pace of the clock, which stands still but when everything waits.
struct Slow(Seen);

impl Subscriber for Slow {
    type Event = Event;
    const NAME: &'static str = "slow";

    async fn handle(&self, event: EventEnvelope) -> HandlerResult {
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.0.lock().unwrap().push(event.seq);
        Ok(())
    }
}

/// Panics on every third event, at the first attempt.
struct Panicky {
    seen: Seen,
    attempts: AtomicU64,
}

impl Subscriber for Panicky {
    type Event = Event;
    const NAME: &'static str = "panicky";

    async fn handle(&self, event: EventEnvelope) -> HandlerResult {
        assert!(!self.attempts.fetch_add(1, Ordering::SeqCst).is_multiple_of(3), "as it is meant to");
        self.seen.lock().unwrap().push(event.seq);
        Ok(())
    }
}

/// Never returns.
struct Hanging;

impl Subscriber for Hanging {
    type Event = ComponentCreated;
    const NAME: &'static str = "hanging";

    async fn handle(&self, _event: EventEnvelope<ComponentCreated>) -> HandlerResult {
        std::future::pending().await
    }

    fn policy(&self) -> RetryPolicy {
        RetryPolicy { timeout: Duration::from_secs(5), attempts: 2, ..RetryPolicy::default() }
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_subscriber_harms_nobody_and_loses_nothing() {
    const EVENTS: u64 = 500;
    let (recorder, bus) = MemoryLog::with_bus(16);
    let (slow, panicky, quick) = (Seen::default(), Seen::default(), Seen::default());
    bus.register(Slow(slow.clone()));
    bus.register(Panicky { seen: panicky.clone(), attempts: AtomicU64::new(0) });
    bus.register(Hanging);
    let seen = quick.clone();
    bus.on("quick", move |event: EventEnvelope| {
        let seen = seen.clone();
        async move {
            seen.lock().unwrap().push(event.seq);
            Ok(())
        }
    });
    let all: Vec<Seq> = (1..=EVENTS).map(Seq).collect();
    for n in 1..=EVENTS {
        recorder.record(event(n));
    }
    // The clock has not moved: nobody waited for a bad one.
    tokio::task::yield_now().await;
    while quick.lock().unwrap().len() < all.len() {
        tokio::task::yield_now().await;
    }
    assert_eq!(*quick.lock().unwrap(), all);
    recorder.close();
    bus.join().await;
    assert_eq!(*slow.lock().unwrap(), all);
    assert_eq!(*panicky.lock().unwrap(), all);
    assert_eq!(stats(&bus, "slow").handled(), EVENTS);
    assert!(stats(&bus, "slow").read_from_log_total() > 0, "the bus holds 16 events only");
    assert!(stats(&bus, "panicky").retried() >= EVENTS / 3);
    assert_eq!(stats(&bus, "panicky").failed(), 0);
    // Two of three events are creations. Each was tried twice and given up.
    let created = EVENTS - EVENTS / 3;
    assert_eq!((stats(&bus, "hanging").failed(), stats(&bus, "hanging").handled()), (created, 0));
    assert_eq!(stats(&bus, "hanging").retried(), created);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_fails_is_tried_again_and_then_given_up() {
    let (recorder, bus) = MemoryLog::with_bus(16);
    let attempts = Arc::new(AtomicU64::new(0));
    let counted = attempts.clone();
    bus.on("failing", move |event: EventEnvelope<ComponentCreated>| {
        let attempt = counted.fetch_add(1, Ordering::SeqCst);
        async move { if event.seq == Seq(1) && attempt < 5 { Err("not now".into()) } else { Ok(()) } }
    });
    recorder.record(event(1));
    recorder.record(event(2));
    recorder.close();
    bus.join().await;
    let stats = stats(&bus, "failing");
    assert_eq!(attempts.load(Ordering::SeqCst), 4);
    assert_eq!((stats.failed(), stats.handled(), stats.retried()), (1, 1, 2));
    assert_eq!(stats.position(), Seq(2));
}

#[tokio::test]
async fn a_name_without_a_subscription_lags_behind_nothing() {
    let (recorder, bus) = MemoryLog::with_bus(16);
    let mut subscription = bus.subscribe("stream");
    recorder.record(event(1));
    recorder.record(event(2));
    assert_eq!(stats(&bus, "stream").lag(bus.head()), 2);
    subscription.next().await.unwrap();
    assert_eq!(stats(&bus, "stream").lag(bus.head()), 1);
    drop(subscription);
    assert_eq!(stats(&bus, "stream").lag(bus.head()), 0);
    let _another = bus.subscribe("stream");
    assert_eq!(stats(&bus, "stream").lag(bus.head()), 0);
}

#[tokio::test]
async fn a_subscriber_gets_its_type_alone() {
    let (recorder, bus) = MemoryLog::with_bus(16);
    let seen = Seen::default();
    let told = seen.clone();
    bus.on("created", move |event: EventEnvelope<ComponentCreated>| {
        told.lock().unwrap().push(event.seq);
        async { Ok(()) }
    });
    for n in 1..=6 {
        recorder.record(event(n));
    }
    recorder.close();
    bus.join().await;
    assert_eq!(*seen.lock().unwrap(), [1, 2, 4, 5].map(Seq));
}
