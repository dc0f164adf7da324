//! Every scrape is one moment of the log, whatever happens around it.

use std::sync::Arc;

use inventory_core::Origin;
use proptest::prelude::*;
use tokio::task::JoinSet;

use crate::fake_store::{FakeStore, Samples};

#[derive(Debug, Clone, Copy)]
enum Step {
    Create { own: bool },
    Update { own: bool },
    Delete { own: bool },
    Scrape,
    Pause,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any::<bool>().prop_map(|own| Step::Create { own }),
        2 => any::<bool>().prop_map(|own| Step::Update { own }),
        4 => any::<bool>().prop_map(|own| Step::Delete { own }),
        4 => Just(Step::Scrape),
        4 => Just(Step::Pause),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn every_scrape_is_one_moment_and_not_an_old_one(
        steps in prop::collection::vec(step(), 1..120),
        capacity in 1_usize..8,
        yields in 0_usize..4,
        tells_own in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(play(steps, capacity, yields, tells_own));
    }
}

async fn play(steps: Vec<Step>, capacity: usize, yields: usize, tells_own: bool) {
    let world = Arc::new(FakeStore::new(capacity).yielding(yields).telling_own(tells_own));
    let scraper = world.start();
    let (own, other) = (world.origin(), Origin::generate());
    let by = |is_own| if is_own { own } else { other };
    let mut answers = JoinSet::new();
    for step in steps {
        match step {
            Step::Create { own } => world.create(by(own)),
            Step::Update { own } => world.update(by(own)),
            Step::Delete { own } if world.moment(world.head()).components > 0 => world.delete(by(own)),
            Step::Delete { .. } => {}
            Step::Scrape => {
                let (scraper, answered) = (scraper.clone(), world.head());
                answers.spawn(async move { (answered, scraper.scrape(None).await.unwrap()) });
            }
            Step::Pause => tokio::task::yield_now().await,
        }
    }
    while let Some(answer) = answers.join_next().await {
        let (answered, samples) = answer.unwrap();
        assert_is_a_moment(&world, answered, &samples);
    }
    let samples = scraper.scrape(None).await.unwrap();
    assert_is_a_moment(&world, world.head(), &samples);
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "samples that are counts")]
fn assert_is_a_moment(world: &FakeStore, answered: u64, samples: &Samples) {
    let sample = |name: &str| samples[name] as u64;
    let head = sample("inventory_log_head_seq");
    assert!(head >= answered, "the scrape shows event {head}, but {answered} was committed before it began");
    let moment = world.moment(head);
    assert_eq!(sample("inventory_components_total"), moment.components, "at {head}");
    assert_eq!(sample("inventory_components"), moment.components, "at {head}");
    assert_eq!(sample("inventory_components_created_total"), moment.created, "at {head}");
    assert_eq!(sample("inventory_components_updated_total"), moment.updated, "at {head}");
    assert_eq!(sample("inventory_components_deleted_total"), moment.deleted, "at {head}");
    assert_eq!(sample("inventory_metrics_barrier_timeouts_total"), 0);
    assert_eq!(sample("inventory_collector_success/database"), 1);
}
