use std::sync::Arc;

use futures::FutureExt;
use inventory_core::{Actor, Clock, Component, Event, Field, Seq};
use inventory_store::{
    ComponentOperation, Config, Conflict, Idempotency, OperationError, OperationErrors, OperationResult,
    Store, VersionPrecondition, WriteContext, WriteError, WriteFailure,
};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::database::{assert_sound, create, new, on_both, patch, take};

fn refusals(error: WriteError<OperationErrors>) -> Vec<OperationError> {
    match error {
        WriteError::Conflict(OperationErrors(errors)) => errors,
        WriteError::Failure(failure) => panic!("{failure}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_one_event_with_the_whole_state() {
    on_both(|database| async {
        let store = database.open().await;
        let mut events = store.bus().subscribe("test");
        let full = json!({
            "sku": "74xx/74HC00", "name": "74HC00", "description": "Quad NAND", "notes": "a\nb", "manufacturer": "Nexperia",
            "mpn": "74HC00D", "barcode": "4006381333931", "unit": "pcs", "min_quantity": "10", "unit_cost": "0.123456",
            "currency": "EUR", "datasheet_url": "https://example.org/a.pdf", "tags": ["logic", "cmos"],
            "custom_fields": {"pins": 14, "rohs": true, "package": "SOIC-14"}, "status": "archived",
        });
        let created = create(&store, full).await;
        let update = ComponentOperation::Update {
            id: created.id,
            expected: VersionPrecondition::version(1),
            patch: patch(json!({"name": "74HCT00", "unit_cost": null})),
        };
        let written = store.write(vec![update], WriteContext::new(Actor::token("t"))).await.unwrap();
        let [OperationResult::Updated(updated)] = &*written.result else { panic!("{written:?}") };
        let delete = ComponentOperation::Delete { id: created.id, expected: VersionPrecondition::version(2) };
        store.write(vec![delete], WriteContext::new(Actor::cli())).await.unwrap();

        let seen = take(&mut events, 3).await;
        assert_eq!(seen.iter().map(|event| event.seq).collect::<Vec<_>>(), [Seq(1), Seq(2), Seq(3)]);
        let Event::ComponentCreated(event) = &seen[0].data else { panic!() };
        assert_eq!(*event.component, created);
        let Event::ComponentUpdated(event) = &seen[1].data else { panic!() };
        assert_eq!((&*event.before, &event.after), (&created, updated));
        assert_eq!(event.changed, [Field::Name, Field::UnitCost]);
        assert_eq!(seen[1].actor, Actor::token("t"));
        let Event::ComponentDeleted(event) = &seen[2].data else { panic!() };
        assert_eq!(&event.component, updated);
        // What the log holds is what the bus carried.
        let mut replay = store.bus().subscribe_after("replay", Seq(0));
        for (live, read) in seen.iter().zip(take(&mut replay, 3).await) {
            assert_eq!(format!("{live:?}"), format!("{read:?}"));
        }
        assert_eq!(store.component(created.id).await.unwrap(), None);
        assert_sound(&store, 0, 3).await;
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_reads_back_as_it_was_written() {
    on_both(|database| async {
        let store = database.open().await;
        let created = create(&store, json!({
            "sku": "x", "name": "µ-Ω \"quoted\" 100%", "tags": ["é"], "unit_cost": "999999999999.999999",
            "custom_fields": {"f": 0.1, "i": 9_007_199_254_740_993_u64, "t": "'); DROP TABLE component; --"},
        }))
        .await;
        assert_eq!(store.component(created.id).await.unwrap(), Some(created));
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_changes_nothing_is_no_event() {
    on_both(|database| async {
        let store = database.open().await;
        let created = create(&store, json!({"name": "a"})).await;
        let same = ComponentOperation::Update {
            id: created.id,
            expected: VersionPrecondition::Any,
            patch: patch(json!({"name": "a"})),
        };
        let written = store.write(vec![same], WriteContext::new(Actor::cli())).await.unwrap();
        assert_eq!(written.result, [OperationResult::Unchanged(Arc::new(created))]);
        assert_sound(&store, 1, 1).await;
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_version_is_refused_with_the_current_state() {
    on_both(|database| async {
        let store = database.open().await;
        let created = create(&store, json!({"name": "a"})).await;
        for operation in [
            ComponentOperation::Update {
                id: created.id,
                expected: VersionPrecondition::version(7),
                patch: patch(json!({"name": "b"})),
            },
            ComponentOperation::Delete { id: created.id, expected: VersionPrecondition::OneOf(vec![]) },
        ] {
            let refused =
                refusals(store.write(vec![operation], WriteContext::new(Actor::cli())).await.unwrap_err());
            assert_eq!(
                refused,
                [OperationError { index: 0, conflict: Conflict::Stale(Arc::new(created.clone())) }]
            );
        }
        assert_sound(&store, 1, 1).await;
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_operations_are_all_or_none() {
    on_both(|database| async {
        let store = database.open().await;
        let taken = create(&store, json!({"name": "a", "sku": "taken"})).await;
        let operations = vec![
            new(json!({"name": "b", "sku": "free"})),
            new(json!({"name": "c", "sku": "taken"})),
            ComponentOperation::Update {
                id: taken.id,
                expected: VersionPrecondition::version(1),
                patch: patch(json!({"name": "d"})),
            },
            ComponentOperation::Delete { id: taken.id, expected: VersionPrecondition::version(1) },
        ];
        let refused = refusals(store.write(operations, WriteContext::new(Actor::cli())).await.unwrap_err());
        // Also the last one: by then the component has version 2.
        assert_eq!(refused.iter().map(|refusal| refusal.index).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(store.component(taken.id).await.unwrap().unwrap(), taken);
        assert_sound(&store, 1, 1).await;

        // A sku that an operation frees is free for the next.
        let operations = vec![
            ComponentOperation::Delete { id: taken.id, expected: VersionPrecondition::version(1) },
            new(json!({"name": "b", "sku": "taken"})),
            new(json!({"name": "c"})),
        ];
        let written = store.write(operations, WriteContext::new(Actor::cli())).await.unwrap();
        assert!(matches!(
            &*written.result,
            [OperationResult::Deleted(_), OperationResult::Created(_), OperationResult::Created(_)]
        ));
        assert_sound(&store, 2, 4).await;
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_to_a_taken_sku_fails_alone() {
    on_both(|database| async {
        let store = database.open().await;
        create(&store, json!({"name": "a", "sku": "a"})).await;
        let other = create(&store, json!({"name": "b", "sku": "b"})).await;
        let writes = (0..20).map(|n| {
            let operation = if n % 2 == 0 {
                ComponentOperation::Update {
                    id: other.id,
                    expected: VersionPrecondition::Any,
                    patch: patch(json!({"sku": "a"})),
                }
            } else {
                new(json!({"name": format!("n{n}")}))
            };
            let store = store.clone();
            tokio::spawn(async move { store.write(vec![operation], WriteContext::new(Actor::cli())).await })
        });
        let answers = futures::future::join_all(writes.collect::<Vec<_>>()).await;
        for (n, answer) in answers.into_iter().enumerate() {
            match answer.unwrap() {
                Ok(written) => {
                    assert!(n % 2 == 1 && matches!(&*written.result, [OperationResult::Created(_)]));
                }
                Err(error) => {
                    assert_eq!(n % 2, 0);
                    let taken = Conflict::SkuTaken("a".parse().unwrap());
                    assert_eq!(refusals(error), [OperationError { index: 0, conflict: taken }]);
                }
            }
        }
        assert_sound(&store, 12, 12).await;
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sku_that_many_ask_for_is_given_once() {
    on_both(|database| async {
        // Two processes, as far as the database can tell.
        let stores = [database.open().await, database.open().await];
        let mut tasks = Vec::new();
        for sku in 0..100 {
            for client in 0..8 {
                let store = stores[client % 2].clone();
                tasks.push(tokio::spawn(async move {
                    let operation = new(json!({"name": "n", "sku": format!("sku-{sku}")}));
                    store.write(vec![operation], WriteContext::new(Actor::cli())).await
                }));
            }
        }
        let mut created = 0;
        for answer in futures::future::join_all(tasks).await {
            match answer.unwrap() {
                Ok(_) => created += 1,
                Err(error) => {
                    assert!(matches!(
                        &*refusals(error),
                        [OperationError { conflict: Conflict::SkuTaken(_), .. }]
                    ));
                }
            }
        }
        assert_eq!(created, 100);
        assert_sound(&stores[0], 100, 100).await;
        for store in stores {
            store.close().await;
        }
    })
    .await;
}

fn keyed(key: &str, fingerprint: u8) -> WriteContext {
    WriteContext {
        idempotency: Some(Idempotency {
            scope: "client".to_owned(),
            key: key.to_owned(),
            fingerprint: [fingerprint; 32],
        }),
        ..WriteContext::new(Actor::cli())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_answers_as_the_first_time() {
    on_both(|database| async {
        let start = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let clock = Clock::fixed(start);
        let store = Store::open(Config { clock: clock.clone(), ..database.config() }).await.unwrap();
        let operations = || vec![new(json!({"name": "a", "sku": "a"}))];
        let write = |fingerprint| store.write(operations(), keyed("k", fingerprint));
        let first = write(1).await.unwrap();
        assert!(!first.replayed);
        // Concurrently, and from another process.
        let other = Store::open(Config { clock: clock.clone(), ..database.config() }).await.unwrap();
        let again = (0..16).map(|n| if n % 2 == 0 { store.clone() } else { other.clone() });
        let again = again.map(|store| {
            let operations = operations();
            tokio::spawn(async move { store.write(operations, keyed("k", 1)).await.unwrap() })
        });
        for answer in futures::future::join_all(again.collect::<Vec<_>>()).await {
            let answer = answer.unwrap();
            assert!(answer.replayed);
            assert_eq!(answer.result, first.result);
        }
        assert!(matches!(write(2).await, Err(WriteError::Failure(WriteFailure::KeyReused))));
        // A refusal is an answer, too: it stays when the reason for it is gone.
        let refused = || store.write(vec![new(json!({"name": "b", "sku": "a"}))], keyed("refused", 3));
        let reason = refusals(refused().await.unwrap_err());
        let [OperationResult::Created(component)] = &*first.result else { panic!() };
        let delete = ComponentOperation::Delete { id: component.id, expected: VersionPrecondition::Any };
        store.write(vec![delete], WriteContext::new(Actor::cli())).await.unwrap();
        assert_eq!(refusals(refused().await.unwrap_err()), reason);
        assert_sound(&store, 0, 2).await;
        // A day later the key is as good as new.
        clock.set(start + Duration::hours(24) + Duration::seconds(1));
        assert!(!write(4).await.unwrap().replayed);
        assert_sound(&store, 1, 3).await;
        store.close().await;
        other.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_first_uses_of_a_key_are_one_write() {
    on_both(|database| async {
        let stores = [database.open().await, database.open().await];
        let tasks = (0..32).map(|n| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move { store.write(vec![new(json!({"name": "a"}))], keyed("k", 1)).await })
        });
        let mut fresh = 0;
        let mut ids = std::collections::HashSet::new();
        for answer in futures::future::join_all(tasks.collect::<Vec<_>>()).await {
            let written = answer.unwrap().unwrap();
            fresh += usize::from(!written.replayed);
            let [OperationResult::Created(component)] = &*written.result else { panic!() };
            ids.insert(component.id);
        }
        assert_eq!((fresh, ids.len()), (1, 1));
        assert_sound(&stores[0], 1, 1).await;
        for store in stores {
            store.close().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_asker_hangs_up_is_carried_out() {
    on_both(|database| async {
        let store = database.open().await;
        let mut events = store.bus().subscribe("test");
        for n in 0..20 {
            let asked =
                store.write(vec![new(json!({"name": format!("n{n}")}))], WriteContext::new(Actor::cli()));
            // Polled once, which hands it to the writer, and dropped.
            futures::future::select(Box::pin(asked), futures::future::ready(())).await;
        }
        take(&mut events, 20).await;
        assert_sound(&store, 20, 20).await;
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_close_finishes_what_was_asked() {
    on_both(|database| async {
        let store = database.open().await;
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        store.bus().on::<Event, _, _>("all", move |event| {
            let tell = tell.clone();
            async move { Ok(tell.send(event.seq)?) }
        });
        let writes: Vec<_> = (0..200)
            .map(|n| {
                let store = store.clone();
                let operations = vec![new(json!({"name": format!("n{n}")}))];
                let context = WriteContext::new(Actor::cli());
                let write = async move { store.write(operations, context).await };
                let mut asked = Box::pin(tokio::task::unconstrained(write));
                // Polled once, which hands it to the writer.
                assert!((&mut asked).now_or_never().is_none());
                asked
            })
            .collect();
        store.close().await;
        for write in writes {
            write.await.unwrap();
        }
        let mut seen = Vec::new();
        while let Some(seq) = told.recv().await {
            seen.push(seq);
        }
        assert_eq!(seen, (1..=200).map(Seq).collect::<Vec<_>>());
        assert!(matches!(
            store.write(vec![new(json!({"name": "late"}))], WriteContext::new(Actor::cli())).await,
            Err(WriteError::Failure(WriteFailure::Busy))
        ));
        let store = database.open().await;
        assert_sound(&store, 200, 200).await;
        store.close().await;
    })
    .await;
}

/// Sixteen writers, updates, deletes, duplicates and bulk writes that fail, on two processes.
#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_load_leaves_a_sound_database() {
    const OPERATIONS: usize = 20_000;
    const WRITERS: usize = 16;
    on_both(|database| async {
        let stores = [database.open().await, database.open().await];
        let mut events = stores[0].bus().subscribe("test");
        let tasks = (0..WRITERS).map(|writer| {
            let store = stores[writer % 2].clone();
            tokio::spawn(async move {
                let mut random = fastrand::Rng::with_seed(writer as u64);
                let mut known: Vec<Component> = Vec::new();
                for _ in 0..OPERATIONS / WRITERS {
                    let sku = json!(format!("sku-{}", random.u32(0..2000)));
                    let mut operations = Vec::new();
                    for _ in 0..if random.u8(0..20) == 0 { 5 } else { 1 } {
                        let target = (!known.is_empty()).then(|| known[random.usize(0..known.len())].clone());
                        let stale = u64::from(random.u8(0..5) == 0);
                        let expected =
                            |component: &Component| VersionPrecondition::version(component.version + stale);
                        operations.push(match (random.u8(0..10), target) {
                            (0..=2, Some(target)) => ComponentOperation::Update {
                                id: target.id,
                                expected: expected(&target),
                                patch: patch(
                                    json!({"sku": sku, "min_quantity": random.u32(0..9).to_string()}),
                                ),
                            },
                            (3..=5, Some(target)) => {
                                ComponentOperation::Delete { id: target.id, expected: expected(&target) }
                            }
                            _ => new(json!({"name": "n", "sku": sku})),
                        });
                    }
                    match store.write(operations, WriteContext::new(Actor::cli())).await {
                        Ok(written) => {
                            for done in written.result {
                                match done {
                                    OperationResult::Created(component) => known.push((*component).clone()),
                                    OperationResult::Updated(component)
                                    | OperationResult::Unchanged(component) => {
                                        known.retain(|other| other.id != component.id);
                                        known.push((*component).clone());
                                    }
                                    OperationResult::Deleted(component) => {
                                        known.retain(|other| other.id != component.id);
                                    }
                                }
                            }
                        }
                        Err(WriteError::Conflict(_)) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                known.len() as u64
            })
        });
        let mut components = 0;
        for left in futures::future::join_all(tasks.collect::<Vec<_>>()).await {
            components += left.unwrap();
        }
        let snapshot = stores[0].snapshot().await.unwrap();
        assert_eq!(snapshot.components, components);
        assert_eq!(stores[0].audit_count().await.unwrap().drift(), 0);
        assert_sound(&stores[0], components, snapshot.head.0).await;
        let seen = take(&mut events, usize::try_from(snapshot.head.0).unwrap()).await;
        assert!(seen.iter().map(|event| event.seq.0).eq(1..=snapshot.head.0));
        for store in &stores {
            let own = seen.iter().filter(|event| event.origin == store.origin()).count() as u64;
            assert_eq!(own, store.stats().events_committed);
            assert!(own > 0);
        }
        for store in stores {
            store.close().await;
        }
    })
    .await;
}
