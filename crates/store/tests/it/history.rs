//! The log as people look at it.

use inventory_core::{
    Actor, Clock, ComponentCreated, ComponentDeleted, ComponentUpdated, EventEnvelope, Seq, TokenCreated,
};
use inventory_store::{ComponentOperation, Config, EventPage, Store, VersionPrecondition, WriteContext};
use sea_orm::ConnectionTrait;
use serde_json::json;
use time::macros::{date, datetime};

use crate::database::{create, new, on_both, patch};

async fn carry_out(store: &Store, operation: ComponentOperation) {
    store.write_one(operation, WriteContext::new(Actor::cli())).await.unwrap();
}

fn types(events: &[EventEnvelope]) -> Vec<&str> {
    events.iter().map(|event| event.data.type_name()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_a_component_outlives_it() {
    on_both(|database| async {
        let store = database.open().await;
        let component = create(&store, json!({"name": "a"})).await;
        let (id, expected) = (component.id, VersionPrecondition::Any);
        create(&store, json!({"name": "another"})).await;
        for name in ["b", "c"] {
            let patch = patch(json!({"name": name}));
            carry_out(&store, ComponentOperation::Update { id, expected: expected.clone(), patch }).await;
        }
        carry_out(&store, ComponentOperation::Delete { id, expected }).await;
        let whole = store.history(id, None, 10).await.unwrap();
        let all =
            [ComponentDeleted::TYPE, ComponentUpdated::TYPE, ComponentUpdated::TYPE, ComponentCreated::TYPE];
        assert_eq!(types(&whole.events), all);
        assert_eq!(whole.before, None);
        let last = whole.events[0].downcast::<ComponentDeleted>().unwrap();
        assert_eq!(last.data.component.name.as_str(), "c");
        // The same in pages, the last of which is full.
        let first = store.history(id, None, 2).await.unwrap();
        assert_eq!((types(&first.events), first.before), (all[..2].to_vec(), Some(Seq(4))));
        let second = store.history(id, first.before, 2).await.unwrap();
        assert_eq!((types(&second.events), second.before), (all[2..].to_vec(), None));
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_events_of_some_types_come_in_pages() {
    on_both(|database| async {
        let store = database.open().await;
        assert!(store.recent(&[ComponentCreated::TYPE], None, 5).await.unwrap().events.is_empty());
        store
            .tokens()
            .create(inventory_store::NewToken::new("ci", [inventory_core::Scope::Read]), Actor::cli())
            .await
            .unwrap();
        // More than one page looks through.
        let operations = (0..7000).map(|n| new(json!({"name": format!("n{n}")}))).collect();
        store.write(operations, WriteContext::new(Actor::cli())).await.unwrap();
        let page = store.recent(&[ComponentCreated::TYPE], None, 3).await.unwrap();
        assert_eq!(page.events.iter().map(|event| event.seq.0).collect::<Vec<_>>(), [7001, 7000, 6999]);
        let page = store.recent(&[ComponentCreated::TYPE], page.before, 1).await.unwrap();
        assert_eq!(page.events[0].seq, Seq(6998));
        // A type of which there is one, long ago.
        let EventPage { events, before } = store.recent(&[TokenCreated::TYPE], None, 3).await.unwrap();
        assert!(events.is_empty());
        let page = store.recent(&[TokenCreated::TYPE], before, 3).await.unwrap();
        assert_eq!((types(&page.events), page.before), (vec![TokenCreated::TYPE], None));
        // No page is without a bound.
        let page = store.recent(&[ComponentCreated::TYPE], None, usize::MAX).await.unwrap();
        assert_eq!(page.events.len(), Store::MAX_PAGE_EVENTS);
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn activity_is_counted_by_the_day_of_each_event() {
    on_both(|database| async {
        let clock = Clock::fixed(datetime!(2027-02-27 23:59:59.999 UTC));
        let config = Config { clock: clock.clone(), ..database.config() };
        let store = Store::open(config).await.unwrap();
        let early = create(&store, json!({"name": "a"})).await;
        clock.set(datetime!(2027-03-01 00:00 UTC));
        let operations = (0..3).map(|n| new(json!({"name": format!("n{n}")}))).collect();
        store.write(operations, WriteContext::new(Actor::cli())).await.unwrap();
        carry_out(&store, ComponentOperation::Delete { id: early.id, expected: VersionPrecondition::Any })
            .await;
        let days = store.activity(4).await.unwrap();
        let days: Vec<_> = days.iter().map(|day| (day.day, day.created, day.deleted)).collect();
        let expected = [
            (date!(2027 - 02 - 26), 0, 0),
            (date!(2027 - 02 - 27), 1, 0),
            (date!(2027 - 02 - 28), 0, 0),
            (date!(2027 - 03 - 01), 3, 1),
        ];
        assert_eq!(days, expected);
        assert_eq!(store.activity(0).await.unwrap().len(), 1);
        assert_eq!(store.activity(u16::MAX).await.unwrap().len(), usize::from(Store::MAX_ACTIVITY_DAYS));
        // What is kept is what the log says.
        assert!(store.check().await.unwrap().is_sound());
        let shell = database.shell().await;
        shell.execute_unprepared("UPDATE component_activity SET deleted = deleted + 1").await.unwrap();
        let report = store.check().await.unwrap();
        assert_eq!(report.violations, ["what is kept of 2 days is not what the event log has of them"]);
        store.close().await;
    })
    .await;
}
