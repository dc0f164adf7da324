//! Scrapes when all is well, and when the database, the log or the bus is not.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use inventory_core::Origin;
use inventory_metrics::{MAX_BARRIER, Stopped};
use metrics_util::debugging::DebugValue;
use tokio::time::Instant;

use crate::fake_store::{FakeStore, Samples, eventually, values};

const SUCCESS: &str = "inventory_collector_success/database";
const TIMEOUTS: &str = "inventory_metrics_barrier_timeouts_total";

fn created(samples: &Samples) -> f64 {
    samples["inventory_components_created_total"]
}

fn gauge(samples: &Samples) -> f64 {
    samples["inventory_components_total"]
}

#[track_caller]
fn assert_sample(samples: &Samples, name: &str, expected: f64) {
    assert!((samples[name] - expected).abs() < 0.5, "{name} is {} and not {expected}", samples[name]);
}

#[tokio::test(start_paused = true)]
async fn counters_are_those_of_this_process_and_the_gauge_is_the_database() {
    let world = Arc::new(FakeStore::new(16));
    let scraper = world.start();
    let first = scraper.scrape(None).await.unwrap();
    for name in ["created", "updated", "deleted"] {
        assert_sample(&first, &format!("inventory_components_{name}_total"), 0.0);
    }
    assert_sample(&first, "inventory_components_total", 0.0);

    let (own, other) = (world.origin(), Origin::generate());
    for _ in 0..3 {
        world.create(own);
        world.create(other);
    }
    world.update(own);
    world.delete(own);
    world.delete(other);
    world.insert_by_hand();
    let second = scraper.scrape(None).await.unwrap();
    assert_sample(&second, "inventory_components_created_total", 3.0);
    assert_sample(&second, "inventory_components_updated_total", 1.0);
    assert_sample(&second, "inventory_components_deleted_total", 1.0);
    assert_sample(&second, "inventory_components_total", 5.0);
    assert_sample(&second, "inventory_subscriber_events_total/metrics/handled", 9.0);
    assert_sample(&second, "inventory_subscriber_lag_events/metrics", 0.0);
}

#[tokio::test(start_paused = true)]
async fn events_from_before_the_process_are_not_counted() {
    let world = Arc::new(FakeStore::new(16));
    world.create(world.origin());
    let scraper = world.start();
    world.create(world.origin());
    let samples = scraper.scrape(None).await.unwrap();
    assert_sample(&samples, "inventory_components_created_total", 1.0);
    assert_sample(&samples, "inventory_components_total", 2.0);
}

#[tokio::test(start_paused = true)]
async fn scrapes_that_wait_share_a_flight_and_one_that_comes_later_does_not() {
    let world = Arc::new(FakeStore::new(16).gated());
    let scraper = world.start();
    let scrape = || {
        let scraper = scraper.clone();
        tokio::spawn(async move { scraper.scrape(None).await.unwrap() })
    };
    let first = [scrape(), scrape(), scrape()];
    eventually(|| world.snapshots.load(Ordering::SeqCst) > 0).await;
    // The flight looks at the database, and then a write is answered and a scrape begins.
    world.gate.add_permits(1);
    eventually(|| world.looks.load(Ordering::SeqCst) > 0).await;
    world.create(world.origin());
    let late = [scrape(), scrape()];
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    world.gate.add_permits(1);
    for scrape in first {
        let samples = scrape.await.unwrap();
        assert_sample(&samples, "inventory_components_created_total", 0.0);
        assert_sample(&samples, "inventory_components_total", 0.0);
    }
    world.gate.add_permits(2);
    for scrape in late {
        let samples = scrape.await.unwrap();
        assert_sample(&samples, "inventory_components_created_total", 1.0);
        assert_sample(&samples, "inventory_components_total", 1.0);
        assert_sample(&samples, "inventory_metrics_scrapes_total", 3.0);
    }
    assert_eq!(world.snapshots.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_gone_leaves_the_counters_and_says_so() {
    let world = Arc::new(FakeStore::new(16));
    let scraper = world.start();
    world.create(world.origin());
    scraper.scrape(None).await.unwrap();
    world.broken.store(true, Ordering::SeqCst);
    let without = scraper.scrape(None).await.unwrap();
    assert!(gauge(&without).is_nan() && without["inventory_log_head_seq"].is_nan());
    assert_sample(&without, SUCCESS, 0.0);
    assert_sample(&without, "inventory_components_created_total", 1.0);
    assert_sample(&without, TIMEOUTS, 0.0);
    world.broken.store(false, Ordering::SeqCst);
    let with = scraper.scrape(None).await.unwrap();
    assert_sample(&with, "inventory_components_total", 1.0);
    assert_sample(&with, SUCCESS, 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_ends_nothing() {
    let world = Arc::new(FakeStore::new(16));
    let scraper = world.start();
    world.create(world.origin());
    world.panics.store(true, Ordering::SeqCst);
    let during = scraper.scrape(None).await.unwrap();
    assert!(gauge(&during).is_nan());
    assert_sample(&during, SUCCESS, 0.0);
    world.panics.store(false, Ordering::SeqCst);
    let after = scraper.scrape(None).await.unwrap();
    assert_sample(&after, "inventory_components_created_total", 1.0);
    assert_sample(&after, "inventory_components_total", 1.0);
    assert_sample(&after, SUCCESS, 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_hangs_delays_a_scrape_for_no_longer_than_the_barrier() {
    let world = Arc::new(FakeStore::new(16).gated());
    let scraper = world.start();
    for (timeout, barrier) in [
        (None, MAX_BARRIER),
        (Some(Duration::from_secs(10)), MAX_BARRIER),
        (Some(Duration::from_millis(100)), Duration::from_millis(80)),
        (Some(Duration::from_nanos(1)), Duration::from_millis(10)),
    ] {
        let began = Instant::now();
        let samples = scraper.scrape(timeout).await.unwrap();
        let took = began.elapsed();
        // The timer of the runtime counts whole milliseconds.
        assert!(took >= barrier && took <= barrier + Duration::from_millis(2), "{timeout:?}: {took:?}");
        assert!(gauge(&samples).is_nan());
        assert_sample(&samples, SUCCESS, 0.0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_scraper_in_a_hurry_costs_no_other_scraper_the_gauge() {
    let world = Arc::new(FakeStore::new(16).gated());
    let scraper = world.start();
    world.insert_by_hand();
    let began = Instant::now();
    let scrape = |timeout| {
        let scraper = scraper.clone();
        tokio::spawn(async move {
            let samples = scraper.scrape(timeout).await.unwrap();
            (samples, began.elapsed())
        })
    };
    // Together, and in either order.
    let patient = [scrape(None), scrape(Some(Duration::from_millis(100)))];
    let hurried = [scrape(Some(Duration::from_micros(100))), scrape(Some(Duration::from_millis(50)))];
    let last = scrape(None);
    for (hurried, barrier) in hurried.into_iter().zip([10, 40]) {
        let (samples, elapsed) = hurried.await.unwrap();
        assert!(gauge(&samples).is_nan(), "the database has not answered yet");
        assert_sample(&samples, SUCCESS, 0.0);
        // The timer of the runtime counts whole milliseconds.
        assert!((barrier..=barrier + 2).contains(&elapsed.as_millis()), "{barrier}: {elapsed:?}");
    }
    world.gate.add_permits(2);
    for patient in patient.into_iter().chain([last]) {
        let (samples, elapsed) = patient.await.unwrap();
        assert_sample(&samples, "inventory_components_total", 1.0);
        assert_sample(&samples, SUCCESS, 1.0);
        assert!(elapsed.as_millis() <= 42, "{elapsed:?}");
    }
    assert_eq!(world.snapshots.load(Ordering::SeqCst), 1, "the database was asked once");
}

#[tokio::test(start_paused = true)]
async fn a_scraper_in_a_hurry_does_not_wait_for_events_that_another_waits_for() {
    let world = Arc::new(FakeStore::new(16));
    let scraper = world.start();
    world.create(world.origin());
    world.create_unpublished(world.origin());
    let scrape = |timeout| {
        let scraper = scraper.clone();
        tokio::spawn(async move { scraper.scrape(timeout).await.unwrap() })
    };
    let (patient, hurried) = (scrape(None), scrape(Some(Duration::from_micros(100))));
    let samples = hurried.await.unwrap();
    assert!(gauge(&samples).is_nan());
    assert_sample(&samples, "inventory_log_head_seq", 2.0);
    assert!(!patient.is_finished());
    world.publish_missing(world.origin());
    let samples = patient.await.unwrap();
    assert_sample(&samples, "inventory_components_total", 2.0);
    assert_sample(&samples, "inventory_components_created_total", 2.0);
}

#[tokio::test(start_paused = true)]
async fn events_that_do_not_arrive_in_time_cost_the_gauge_and_are_told() {
    let world = Arc::new(FakeStore::new(16));
    let scraper = world.start();
    world.create(world.origin());
    world.create_unpublished(world.origin());
    let began = Instant::now();
    let samples = scraper.scrape(None).await.unwrap();
    assert!(began.elapsed() <= MAX_BARRIER + Duration::from_millis(2));
    assert!(gauge(&samples).is_nan());
    assert_sample(&samples, TIMEOUTS, 1.0);
    assert_sample(&samples, SUCCESS, 1.0);
    assert_sample(&samples, "inventory_log_head_seq", 2.0);
    assert_sample(&samples, "inventory_bus_head_seq", 1.0);
    assert_sample(&samples, "inventory_components_created_total", 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_scrape_does_not_wait_for_events_of_others_where_the_database_tells_them_apart() {
    let world = Arc::new(FakeStore::new(16).telling_own(true));
    let scraper = world.start();
    world.create(world.origin());
    world.insert_by_hand();
    world.create_unpublished(Origin::generate());
    let before = Instant::now();
    let samples = scraper.scrape(None).await.unwrap();
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_sample(&samples, "inventory_components_total", 3.0);
    assert_sample(&samples, "inventory_components_created_total", 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_fails_is_tried_again_and_nothing_is_counted_twice_or_left_out() {
    let world = Arc::new(FakeStore::new(1));
    let scraper = world.start();
    world.break_log(true);
    // More than the channel holds, so that the log is needed.
    for _ in 0..5 {
        world.create(world.origin());
    }
    let without = scraper.scrape(None).await.unwrap();
    assert_sample(&without, SUCCESS, 0.0);
    assert!(gauge(&without).is_nan());
    assert!(created(&without) < 5.0);
    // Time enough for several attempts, whose pauses grow.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let reads = world.log_reads();
    assert!((4..20).contains(&reads), "the log was asked {reads} times");
    world.break_log(false);
    tokio::time::sleep(Duration::from_secs(11)).await;
    let with = scraper.scrape(None).await.unwrap();
    assert_sample(&with, "inventory_components_created_total", 5.0);
    assert_sample(&with, "inventory_components_total", 5.0);
    assert!(with["inventory_subscriber_events_read_from_log_total/metrics"] > 0.0);
}

#[tokio::test(start_paused = true)]
async fn without_scrapes_the_gauge_follows_creates_and_deletes_at_most_once_a_second() {
    let world = Arc::new(FakeStore::new(16));
    let (_scraper, task, snapshotter) = world.metrics();
    tokio::spawn(task.run());
    let gauge = || {
        let values = values(&snapshotter);
        let found = values.into_iter().find(|(name, _)| name == "inventory_components_total");
        let Some((_, DebugValue::Gauge(value))) = found else { panic!("there is no gauge") };
        value.into_inner()
    };
    world.create(world.origin());
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!((gauge() - 1.0).abs() < 0.5);
    for _ in 2..=100 {
        world.create(world.origin());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(1001)).await;
    assert!((gauge() - 100.0).abs() < 0.5);
    // At once, and one second after another for the two seconds that followed.
    assert_eq!(world.snapshots.load(Ordering::SeqCst), 3);
    // An update changes no count, and time alone does not either.
    world.update(world.origin());
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(world.snapshots.load(Ordering::SeqCst), 3);
    world.delete(Origin::generate());
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!((gauge() - 99.0).abs() < 0.5);
}

#[tokio::test(start_paused = true)]
async fn a_scrape_does_not_wait_for_a_refresh() {
    let world = Arc::new(FakeStore::new(16).gated());
    let scraper = world.start();
    world.create(world.origin());
    eventually(|| world.snapshots.load(Ordering::SeqCst) > 0).await;
    let scrape = tokio::spawn(async move { scraper.scrape(None).await.unwrap() });
    eventually(|| world.snapshots.load(Ordering::SeqCst) > 1).await;
    world.gate.add_permits(2);
    let began = Instant::now();
    assert_sample(&scrape.await.unwrap(), "inventory_components_total", 1.0);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn closing_the_bus_ends_the_task_after_the_last_event() {
    let world = Arc::new(FakeStore::new(1));
    let (scraper, task, snapshotter) = world.metrics();
    for _ in 0..5 {
        world.create(world.origin());
    }
    world.close();
    task.run().await;
    let counted = values(&snapshotter);
    assert!(counted.contains(&("inventory_components_created_total".to_owned(), DebugValue::Counter(5))));
    assert_eq!(scraper.scrape(None).await.unwrap_err(), Stopped);
}
