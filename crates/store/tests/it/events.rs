use inventory_core::{Event, Seq};
use inventory_store::{OpenError, Store};
use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::database::{PATIENCE, TestDatabase, assert_sound, create, on_both, take};

#[tokio::test(flavor = "multi_thread")]
async fn both_processes_see_all_events_in_one_order() {
    on_both(|database| async {
        let one = database.open().await;
        let two = database.open().await;
        let mut by_one = one.bus().subscribe("test");
        let mut by_two = two.bus().subscribe("test");
        let tasks = [one.clone(), two.clone()].map(|store| {
            tokio::spawn(async move {
                for n in 0..100 {
                    create(&store, json!({"name": format!("n{n}")})).await;
                }
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
        let ids = |events: Vec<inventory_core::EventEnvelope>| {
            events.into_iter().map(|event| event.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(take(&mut by_one, 200).await), ids(take(&mut by_two, 200).await));
        one.close().await;
        two.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_past_the_service_counts_and_is_named() {
    on_both(|database| async {
        let store = database.open().await;
        let kept = create(&store, json!({"name": "kept"})).await;
        let lost = create(&store, json!({"name": "lost"})).await;
        let changed = create(&store, json!({"name": "changed"})).await;
        let shell = database.shell().await;
        shell.execute_unprepared("INSERT INTO component (name) VALUES ('smuggled')").await.unwrap();
        shell.execute_unprepared("DELETE FROM component WHERE name = 'lost'").await.unwrap();
        shell.execute_unprepared("UPDATE component SET notes = 'psst' WHERE name = 'changed'").await.unwrap();
        let snapshot = store.snapshot().await.unwrap();
        assert_eq!((snapshot.components, snapshot.head), (3, Seq(3)));
        let report = store.check().await.unwrap();
        assert_eq!(report.violations.len(), 3, "{:?}", report.violations);
        let named = |text: &str, reason: &str| {
            assert!(
                report.violations.iter().any(|line| line.contains(text) && line.contains(reason)),
                "{text} {reason}: {:?}",
                report.violations
            );
        };
        named("\"smuggled\"", "has no event");
        named(&lost.id.to_string(), "deleted past the service");
        named(&changed.id.to_string(), "changed past the service");
        assert!(!format!("{:?}", report.violations).contains(&kept.id.to_string()));
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drifted_count_is_found_and_mended() {
    on_both(|database| async {
        let store = database.open().await;
        create(&store, json!({"name": "a"})).await;
        let shell = database.shell().await;
        let drift = if database.url.starts_with("sqlite") {
            "UPDATE component_count SET n = n + 5"
        } else {
            "INSERT INTO component_count_delta VALUES (5)"
        };
        shell.execute_unprepared(drift).await.unwrap();
        assert_eq!(store.audit_count().await.unwrap().drift(), 5);
        assert_eq!(store.stats().count_drift, 5);
        assert!(!store.check().await.unwrap().is_sound());
        assert_eq!(store.repair_count().await.unwrap().drift(), 5);
        assert_eq!(store.audit_count().await.unwrap().drift(), 0);
        assert_sound(&store, 1, 1).await;
        store.close().await;
    })
    .await;
}

/// The statements by which a row can come and go in a shell, each of which the kept count must follow.
#[tokio::test(flavor = "multi_thread")]
async fn the_kept_count_follows_every_kind_of_statement() {
    on_both(|database| async {
        let store = database.open().await;
        let shell = database.shell().await;
        let sqlite = database.url.starts_with("sqlite");
        let mut statements = vec![
            "INSERT INTO component (name) VALUES ('a'), ('b'), ('c')",
            "INSERT INTO component (name, sku) VALUES ('d', 'd') ON CONFLICT (sku) DO NOTHING",
            "INSERT INTO component (name, sku) VALUES ('d', 'd') ON CONFLICT (sku) DO NOTHING",
            "INSERT INTO component (name, sku) VALUES ('e', 'd') ON CONFLICT (sku) DO UPDATE SET name = 'e'",
            "UPDATE component SET notes = 'x'",
            "DELETE FROM component WHERE name = 'a'",
            "BEGIN; INSERT INTO component (name) VALUES ('z'); ROLLBACK",
            "BEGIN; INSERT INTO component (name) VALUES ('y'); SAVEPOINT s; DELETE FROM component; ROLLBACK TO s; COMMIT",
            "INSERT INTO component (name) SELECT name FROM component",
            "DELETE FROM component WHERE name = 'nobody'",
        ];
        if sqlite {
            statements.push("DELETE FROM component");
        } else {
            statements.push("BEGIN; TRUNCATE component; ROLLBACK");
            statements.push(
                "WITH gone AS (DELETE FROM component WHERE name = 'b' RETURNING name)
                 INSERT INTO component (name) SELECT name FROM gone",
            );
            statements.push("TRUNCATE component");
        }
        for statement in statements {
            shell.execute_unprepared(statement).await.unwrap();
            let audit = store.audit_count().await.unwrap();
            assert_eq!(audit.drift(), 0, "{statement}: {audit:?}");
        }
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_may_open_a_new_database_at_once() {
    on_both(|database| async {
        let opened = futures::future::join_all((0..6).map(|_| tokio::spawn(database.open()))).await;
        let stores: Vec<Store> = opened.into_iter().map(|store| store.unwrap()).collect();
        assert!(stores.iter().all(|store| store.epoch() == stores[0].epoch()));
        for store in &stores {
            create(store, json!({"name": "a"})).await;
        }
        assert_sound(&stores[0], 6, 6).await;
        for store in stores {
            store.close().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_in_the_log_stops_the_tailer_loudly() {
    on_both(|database| async {
        let store = database.open().await;
        create(&store, json!({"name": "a"})).await;
        store.bus().published(Seq(1)).await;
        // Another process whose events never reach this one whole: event 2 is torn out.
        let shell = database.shell().await;
        shell
            .execute_unprepared(
                "UPDATE event_head SET seq = 3;
                 INSERT INTO event_log (seq, id, type, version, subject, origin, actor, data, occurred_at)
                 SELECT 3, component.id, 'component.created', 1, 'components/x', component.id, 'x', '{}', 0 FROM component",
            )
            .await
            .unwrap();
        tokio::time::timeout(PATIENCE, async {
            while !store.stats().tailer_halted {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        assert_eq!(store.bus().head(), Seq(1));
        assert!(!store.check().await.unwrap().is_sound());
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_newer_binary_is_passed_on() {
    on_both(|database| async {
        let store = database.open().await;
        let mut events = store.bus().subscribe("test");
        create(&store, json!({"name": "a"})).await;
        let shell = database.shell().await;
        shell
            .execute_unprepared(
                "UPDATE event_head SET seq = 2;
                 INSERT INTO event_log (seq, id, type, version, subject, origin, actor, data, occurred_at)
                 SELECT 2, component.id, 'stock.moved', 1, 'components/x', component.id, 'x', '{\"by\": 5}', 0 FROM component",
            )
            .await
            .unwrap();
        let seen = take(&mut events, 2).await;
        let Event::Unknown(event) = &seen[1].data else { panic!("{:?}", seen[1]) };
        assert_eq!((&*event.r#type, event.data.get()), ("stock.moved", "{\"by\": 5}"));
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_is_behind_or_no_database_is_a_clear_error() {
    let database = TestDatabase::sqlite();
    let config = inventory_store::Config { migrate: false, ..database.config() };
    assert!(matches!(Store::open(config).await, Err(OpenError::Outdated(_))));
    for url in ["mysql://x", "inventory.db", "sqlite::memory:"] {
        let error = Store::open(inventory_store::Config::new(url)).await.unwrap_err();
        assert!(error.to_string().contains("must begin with sqlite: or postgres://"), "{error}");
    }
}
