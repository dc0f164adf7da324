use std::collections::HashMap;

use inventory_core::{Actor, Component, ComponentId};
use inventory_store::{Column, Expected, Filter, From, Operation, Page, Query, Sort, Store, Write};
use serde_json::json;

use crate::database::{create, new, on_both, patch};

fn query(filters: &[(&str, &str)], column: Column, descending: bool, limit: usize) -> Query {
    let filters = filters.iter().map(|(name, value)| Filter::parse(name, value).unwrap().unwrap()).collect();
    Query { filters, sort: Sort { column, descending }, from: From::Start, limit }
}

async fn names(store: &Store, filters: &[(&str, &str)]) -> Vec<String> {
    let page = store.components(&query(filters, Column::Name, false, 100)).await.unwrap();
    assert_eq!(page.total, page.items.len() as u64);
    page.items.iter().map(|item| item.name.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_find_what_they_say() {
    on_both(|database| async {
        let store = database.open().await;
        for value in [
            json!({"name": "alpha", "sku": "A_1", "unit_cost": "0.5", "tags": ["cmos", "logic"], "manufacturer": "TI"}),
            json!({"name": "beta", "sku": "A%2", "unit_cost": "10", "tags": ["logic"], "status": "archived"}),
            json!({"name": "gamma", "description": "50% DUTY"}),
        ] {
            create(&store, value).await;
        }
        for (filters, expected) in [
            (&[][..], &["alpha", "beta", "gamma"][..]),
            (&[("sku", "A_1")], &["alpha"]),
            (&[("name__in", "alpha,gamma,nobody")], &["alpha", "gamma"]),
            (&[("unit_cost__gte", "0.5"), ("unit_cost__lte", "9.999999")], &["alpha"]),
            (&[("unit_cost__gte", "2")], &["beta"]),
            (&[("sku__contains", "_")], &["alpha"]),
            (&[("sku__contains", "%")], &["beta"]),
            (&[("description__contains", "50% duty")], &["gamma"]),
            (&[("description__contains", "\\")], &[]),
            (&[("sku__isnull", "true")], &["gamma"]),
            (&[("sku__isnull", "false")], &["alpha", "beta"]),
            (&[("tags", "cmos")], &["alpha"]),
            (&[("tags__in", "cmos,logic")], &["alpha", "beta"]),
            (&[("tags", "cmo")], &[]),
            (&[("status", "archived")], &["beta"]),
            (&[("version__gte", "2")], &[]),
            (&[("created_at__lte", "2020-01-01T00:00:00Z")], &[]),
        ] {
            assert_eq!(names(&store, filters).await, expected, "{filters:?}");
        }
        store.close().await;
    })
    .await;
}

#[test]
fn what_is_no_filter_is_said_so() {
    assert!(Filter::parse("colour", "red").is_none());
    assert!(Filter::parse("name__isnull", "true").is_none());
    assert!(Filter::parse("unit_cost__contains", "1").is_none());
    for (name, value) in [
        ("id", "7"),
        ("unit_cost__gte", "cheap"),
        ("created_at__gte", "yesterday"),
        ("sku__isnull", "1"),
        ("name", "a\0b"),
        ("version", "1.5"),
        ("name__in", &"x,".repeat(Filter::MAX_OPERANDS)),
    ] {
        assert!(matches!(Filter::parse(name, value), Some(Err(_))), "{name}={value}");
    }
}

async fn turn(store: &Store, query: &mut Query, page: &Page, forward: bool) -> Option<Page> {
    query.from = if forward { From::After(page.next.clone()?) } else { From::Before(page.previous.clone()?) };
    Some(store.components(query).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_go_forward_and_back_in_every_order() {
    on_both(|database| async {
        let store = database.open().await;
        let mut operations = Vec::new();
        for n in 0..57_u32 {
            operations.push(new(json!({
                "name": format!("name {}", n % 7), "sku": (n % 3 > 0).then(|| format!("sku {n}")),
                "manufacturer": (n % 2 > 0).then_some("TI"), "unit_cost": (n % 4 > 0).then(|| (n % 5).to_string()),
            })));
        }
        store.write(Write::all(operations, Actor::cli())).await.unwrap();
        for column in Column::ALL.into_iter().filter(|column| column.sortable()) {
            for descending in [false, true] {
                let mut query = query(&[], column, descending, 10);
                let mut page = store.components(&query).await.unwrap();
                assert_eq!((page.previous.clone(), page.total), (None, 57));
                let mut forward: Vec<ComponentId> = Vec::new();
                let mut pages = vec![page.clone()];
                loop {
                    forward.extend(page.items.iter().map(|item| item.id));
                    match turn(&store, &mut query, &page, true).await {
                        Some(next) => page = next,
                        None => break,
                    }
                    pages.push(page.clone());
                }
                assert_eq!(forward.len(), 57, "{column:?}");
                assert_eq!(forward.iter().collect::<std::collections::HashSet<_>>().len(), 57);
                // Back again, page by page.
                pages.pop();
                while let Some(expected) = pages.pop() {
                    page = turn(&store, &mut query, &page, false).await.unwrap();
                    assert_eq!(page.items, expected.items, "{column:?} {descending}");
                }
                assert!(turn(&store, &mut query, &page, false).await.is_none());
            }
        }
        store.close().await;
    })
    .await;
}

/// Rows whose place in the order does not change while the list is walked are seen exactly once, whatever
/// happens around them.
#[tokio::test(flavor = "multi_thread")]
async fn a_walk_sees_each_row_once_while_others_write() {
    on_both(|database| async {
        let store = database.open().await;
        let operations =
            (0..600).map(|n| new(json!({"name": format!("n{:03}", n % 90), "sku": format!("s{n}")})));
        let written = store.write(Write::all(operations.collect(), Actor::cli())).await.unwrap();
        let ids: Vec<ComponentId> = written
            .results
            .iter()
            .map(|done| match done {
                inventory_store::Done::Created(component) => component.id,
                other => panic!("{other:?}"),
            })
            .collect();
        let mut doomed: Vec<ComponentId> = ids.iter().copied().skip(2).step_by(3).collect();
        let lasting: Vec<ComponentId> = ids.iter().copied().filter(|id| !doomed.contains(id)).collect();
        for column in Column::ALL.into_iter().filter(|column| column.sortable()) {
            // A change moves a row to another time of change: that order is walked among rows that stay.
            let changes = column != Column::UpdatedAt;
            let mut random = fastrand::Rng::with_seed(7);
            let mut seen: HashMap<ComponentId, usize> = HashMap::new();
            let mut query = query(&[], column, random.bool(), 25);
            let mut page = store.components(&query).await.unwrap();
            loop {
                for item in &page.items {
                    *seen.entry(item.id).or_default() += 1;
                }
                create(&store, json!({"name": format!("n{:03}", random.u32(0..90))})).await;
                if let Some(id) = doomed.pop() {
                    let delete = Operation::Delete { id, expected: Expected::Any };
                    store.write(Write::one(delete, Actor::cli())).await.unwrap();
                }
                if changes {
                    let id = lasting[random.usize(0..lasting.len())];
                    let patch = patch(json!({"notes": random.u64(..).to_string()}));
                    let update = Operation::Update { id, expected: Expected::Any, patch };
                    store.write(Write::one(update, Actor::cli())).await.unwrap();
                }
                match turn(&store, &mut query, &page, true).await {
                    Some(next) => page = next,
                    None => break,
                }
            }
            for id in &lasting {
                assert_eq!(seen.get(id), Some(&1), "{column:?}: {id}");
            }
        }
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn components_are_found_by_sku() {
    on_both(|database| async {
        let store = database.open().await;
        let skus: Vec<_> = (0..1200).map(|n| format!("s{n}")).collect();
        let operations = skus.iter().map(|sku| new(json!({"name": "n", "sku": sku})));
        store.write(Write::all(operations.collect(), Actor::cli())).await.unwrap();
        let wanted: Vec<_> =
            skus.iter().step_by(2).chain([&"nobody".to_owned()]).map(|sku| sku.parse().unwrap()).collect();
        let found: Vec<Component> = store.components_by_sku(&wanted).await.unwrap();
        assert_eq!(found.len(), 600);
        store.close().await;
    })
    .await;
}
