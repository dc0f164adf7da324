use futures::FutureExt;
use inventory_core::{MemoryLog, Seq, Subscription};
use proptest::prelude::*;
use tokio_stream::StreamExt;

use crate::event;

/// What can happen to a bus, in any order.
#[derive(Debug, Clone)]
enum Step {
    /// This number of events is published.
    Publish(u8),
    /// A subscriber is added that follows events published from now on.
    Subscribe,
    /// A subscriber is added that starts after this percentage of the log.
    SubscribeAfter(u8),
    /// A subscriber takes up to this number of events.
    Take(prop::sample::Index, u8),
    /// A subscriber goes and comes back where it was.
    Restart(prop::sample::Index),
    /// A subscriber goes for good.
    Leave(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_u8..60).prop_map(Step::Publish),
        1 => Just(Step::Subscribe),
        1 => (0_u8..=100).prop_map(Step::SubscribeAfter),
        4 => (any::<prop::sample::Index>(), 1_u8..60).prop_map(|(who, count)| Step::Take(who, count)),
        1 => any::<prop::sample::Index>().prop_map(Step::Restart),
        1 => any::<prop::sample::Index>().prop_map(Step::Leave),
    ]
}

/// A subscription and the place of the event that it must return next.
struct Reader {
    subscription: Subscription,
    due: Seq,
}

impl Reader {
    /// Takes events while there are any, and asserts that each is the one that is due.
    fn take(&mut self, count: usize) {
        for _ in 0..count {
            match self.subscription.next().now_or_never() {
                Some(Ok(Some(event))) => {
                    assert_eq!(event.seq, self.due);
                    self.due = self.due.next();
                }
                Some(Ok(None)) | None => return,
                Some(Err(error)) => panic!("{error}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// Whatever happens, each subscriber gets every event after its start, once, in order, to the last.
    #[test]
    fn every_subscriber_gets_every_event_once(
        capacity in 1_usize..40,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let (recorder, bus) = MemoryLog::with_bus(capacity);
        let mut published = 0_u64;
        let mut readers: Vec<Reader> = Vec::new();
        for step in steps {
            match step {
                Step::Publish(count) => {
                    for _ in 0..count {
                        published += 1;
                        recorder.record(event(published));
                    }
                }
                Step::Subscribe => {
                    readers.push(Reader { subscription: bus.subscribe("test"), due: Seq(published + 1) });
                }
                Step::SubscribeAfter(hundredths) => {
                    let after = Seq(published * u64::from(hundredths) / 100);
                    readers.push(Reader { subscription: bus.subscribe_after("test", after), due: after.next() });
                }
                Step::Take(who, count) if !readers.is_empty() => {
                    let who = who.index(readers.len());
                    readers[who].take(usize::from(count));
                }
                Step::Restart(who) if !readers.is_empty() => {
                    let who = who.index(readers.len());
                    let due = readers[who].due;
                    readers[who].subscription = bus.subscribe_after("test", due.previous());
                }
                Step::Leave(who) if !readers.is_empty() => {
                    readers.swap_remove(who.index(readers.len()));
                }
                Step::Take(..) | Step::Restart(_) | Step::Leave(_) => {}
            }
        }
        recorder.close();
        for reader in &mut readers {
            reader.take(usize::MAX);
            prop_assert_eq!(reader.due, Seq(published + 1));
            // The end comes after the last event, and stays.
            prop_assert!(matches!(reader.subscription.next().now_or_never(), Some(Ok(None))));
        }
        prop_assert_eq!(bus.stats().published, published);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_while_publisher_and_subscribers_race() {
    const EVENTS: u64 = 20_000;
    let (recorder, bus) = MemoryLog::with_bus(64);
    let readers: Vec<_> = (0..4)
        .map(|n| {
            let stream =
                if n % 2 == 0 { bus.subscribe("racer") } else { bus.subscribe_after("racer", Seq(0)) };
            tokio::spawn(async move {
                let mut stream = std::pin::pin!(stream.into_stream());
                let mut due = Seq(1);
                while let Some(event) = stream.next().await {
                    assert_eq!(event.unwrap().seq, due);
                    due = due.next();
                    if due.0 % 97 == n {
                        tokio::task::yield_now().await;
                    }
                }
                due
            })
        })
        .collect();
    let publisher = tokio::task::spawn_blocking(move || {
        for n in 1..=EVENTS {
            recorder.record(event(n));
        }
        recorder.close();
    });
    publisher.await.unwrap();
    for reader in readers {
        assert_eq!(reader.await.unwrap(), Seq(EVENTS + 1));
    }
}

#[tokio::test]
async fn a_wait_for_an_event_ends_when_it_is_published() {
    let (recorder, bus) = MemoryLog::with_bus(4);
    assert!(bus.published(Seq(0)).now_or_never().is_some());
    let mut wait = Box::pin(bus.published(Seq(2)));
    recorder.record(event(1));
    assert!((&mut wait).now_or_never().is_none());
    recorder.record(event(2));
    wait.await;
}
