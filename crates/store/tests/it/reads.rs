use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicBool, Ordering},
};

use inventory_core::{Actor, Component, ComponentId, ComponentPatch, Seq};
use inventory_store::{
    Column, ComponentOperation, Filter, Page, PageStart, Query, ReadError, Sort, Store, VersionPrecondition,
    WriteContext,
};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::json;

use crate::database::{TestDatabase, create, new, on_both, patch};

fn query(filters: &[(&str, &str)], column: Column, descending: bool, limit: usize) -> Query {
    let filters = filters.iter().map(|(name, value)| Filter::parse(name, value).unwrap().unwrap()).collect();
    Query { filters, search: None, sort: Sort { column, descending }, from: PageStart::Start, limit }
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
        // As many values as there may be.
        let most = format!("{}cmos", "x,".repeat(Filter::MAX_OPERANDS - 1));
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
            (&[("tags__in", &*most)], &["alpha"]),
            (&[("name__in", &*most)], &[]),
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

/// The server ends what it likes, as when it is restarted: no read of one component notices.
#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_outlives_its_connection() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let store = database.open().await;
    let component = create(&store, json!({"name": "n"})).await;
    let shell = database.shell().await;
    let others = "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for _ in 0..3 {
        assert_eq!(store.component(component.id).await.unwrap().as_ref(), Some(&component));
        let stats = store.stats();
        assert!(stats.readers_idle <= stats.readers_open && stats.readers_open <= stats.readers_max);
        let ended = Statement::from_string(DbBackend::Postgres, others);
        let ended = shell.query_one_raw(ended).await.unwrap().unwrap();
        assert!(ended.try_get_by_index::<i64>(0).unwrap() > 0);
    }
    store.close().await;
    database.drop_database().await;
}

/// Both forms must be identical, because they carry the same entity tag.
#[tokio::test(flavor = "multi_thread")]
async fn the_json_of_a_row_is_that_of_its_component_to_the_byte() {
    let text: String = "a\t\n".chars().chain((b' '..0x7f).map(char::from)).collect();
    on_both(|database| async {
        let store = database.open().await;
        for value in [
            json!({"name": "n"}),
            json!({
                "name": "\u{e9} \"/\\' \u{1f389}\u{fffd}",
                "sku": "s",
                "description": text,
                "notes": text,
                "manufacturer": "m\"",
                "mpn": "\\u0041",
                "barcode": "4 006381 333931",
                "unit": "m",
                "min_quantity": "0.000001",
                "unit_cost": "12345.6",
                "currency": "EUR",
                "datasheet_url": "https://example.com/a%20b?c=\u{e4}&d",
                "tags": ["b", "a", "\u{f6}l"],
                "custom_fields": {"z": 2.5e300, "y": "\\\n", "x": -7, "a": true, "b": "\u{2028}"},
                "status": "archived",
            }),
        ] {
            let id = create(&store, value).await.id;
            let stored = store.stored_component(id).await.unwrap().unwrap();
            let component = serde_json::to_string(&stored.component().unwrap()).unwrap();
            assert_eq!(serde_json::to_string(&stored.json().unwrap()).unwrap(), component);
            assert_eq!(stored.json().unwrap().version(), 1);
        }
        let page = store.stored_components(&query(&[], Column::Name, true, 10)).await.unwrap();
        let written: Vec<_> =
            page.items.iter().map(|item| serde_json::to_string(&item.json().unwrap()).unwrap()).collect();
        let page = store.components(&query(&[], Column::Name, true, 10)).await.unwrap();
        let expected: Vec<_> = page.items.iter().map(|item| serde_json::to_string(item).unwrap()).collect();
        assert_eq!(written, expected);
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

pub(crate) async fn turn(store: &Store, query: &mut Query, page: &Page, forward: bool) -> Option<Page> {
    query.from = if forward {
        PageStart::After(page.next.clone()?)
    } else {
        PageStart::Before(page.previous.clone()?)
    };
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
        store.write(operations, WriteContext::new(Actor::cli())).await.unwrap();
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

/// As many as the organisation's own catalogue has.
const CATALOGUE: usize = 15_333;

/// Fills a database and returns the ids.
pub(crate) async fn fill(store: &Store) -> Vec<ComponentId> {
    let operations: Vec<_> = (0..CATALOGUE)
        .map(|n| {
            new(json!({
                "name": format!("name {:03}", n % 900), "sku": (n % 5 > 0).then(|| format!("sku {n:05}")),
                "manufacturer": (n % 7 > 0).then(|| format!("m{:02}", n % 40)), "mpn": format!("mpn {}", n % 5000),
                "min_quantity": (n % 11).to_string(), "unit_cost": (n % 3 > 0).then(|| format!("{}.25", n % 700)),
                "status": if n % 13 == 0 { "archived" } else { "active" },
            }))
        })
        .collect();
    let written = store.write(operations, WriteContext::new(Actor::cli())).await.unwrap();
    written.result.into_iter().map(|result| result.into_component().id).collect()
}

/// A change of the value by which a list is sorted, to one of its least or of its greatest.
fn far_away(column: Column, random: &mut fastrand::Rng) -> Box<ComponentPatch> {
    let number = random.u32(..);
    let (text, amount) = if random.bool() {
        (format!("!{number}"), "0".to_owned())
    } else {
        (format!("~{number}"), format!("{number}.5"))
    };
    let changed = match column {
        Column::Sku => json!({"sku": text}),
        Column::Name => json!({"name": text}),
        Column::Manufacturer => json!({"manufacturer": random.bool().then_some(text)}),
        Column::Mpn => json!({"mpn": random.bool().then_some(text)}),
        Column::MinQuantity => json!({"min_quantity": amount}),
        Column::UnitCost => json!({"unit_cost": random.bool().then_some(amount)}),
        Column::Status => json!({"status": if random.bool() { "archived" } else { "active" }}),
        _ => json!({"notes": text}),
    };
    patch(changed)
}

/// Creates, deletes, and moves components in the order of a column: some that a walk has met, some that it
/// has not.
pub(crate) async fn disturb(
    store: &Store,
    column: Column,
    lasting: &[ComponentId],
    doomed: &mut Vec<ComponentId>,
    random: &mut fastrand::Rng,
) {
    create(store, json!({"name": format!("name {:03}", random.u32(0..900))})).await;
    if let Some(id) = doomed.pop() {
        let delete = ComponentOperation::Delete { id, expected: VersionPrecondition::Any };
        store.write_one(delete, WriteContext::new(Actor::cli())).await.unwrap();
    }
    for _ in 0..3 {
        let id = lasting[random.usize(0..lasting.len())];
        let update = ComponentOperation::Update {
            id,
            expected: VersionPrecondition::Any,
            patch: far_away(column, random),
        };
        store.write_one(update, WriteContext::new(Actor::cli())).await.unwrap();
    }
}

/// The ids of a page.
fn ids(page: &Page) -> Vec<ComponentId> {
    page.items.iter().map(|item| item.id).collect()
}

/// What exists throughout a walk is met exactly once, in the order that it had when the walk began, forward
/// and back, whatever others insert, delete, and change, also in the sorted column.
#[tokio::test(flavor = "multi_thread")]
async fn a_walk_sees_each_row_once_while_others_write() {
    on_both(|database| async {
        let store = database.open().await;
        let all = fill(&store).await;
        let mut doomed: Vec<ComponentId> = all.iter().copied().skip(2).step_by(3).collect();
        let kept: HashSet<ComponentId> = all.iter().copied().collect();
        let kept = &kept - &doomed.iter().copied().collect();
        let lasting: Vec<ComponentId> = all.into_iter().filter(|id| kept.contains(id)).collect();
        let mut random = fastrand::Rng::with_seed(7);
        for column in Column::ALL.into_iter().filter(|column| column.sortable()) {
            let mut query = query(&[], column, random.bool(), 500);
            let mut expected = Vec::new();
            let first = store.components(&query).await.unwrap();
            let mut page = first.clone();
            loop {
                expected.extend(ids(&page).into_iter().filter(|id| kept.contains(id)));
                match turn(&store, &mut query, &page, true).await {
                    Some(next) => page = next,
                    None => break,
                }
            }
            // The same walk again, now disturbed: its first page was read when nothing had happened.
            let mut pages = vec![ids(&first)];
            page = first;
            let mut order = ids(&page);
            loop {
                disturb(&store, column, &lasting, &mut doomed, &mut random).await;
                match turn(&store, &mut query, &page, true).await {
                    Some(next) => page = next,
                    None => break,
                }
                order.extend(ids(&page));
                pages.push(ids(&page));
            }
            order.retain(|id| kept.contains(id));
            assert!(order == expected, "{column:?}: {} of {}", order.len(), expected.len());
            // And back from the last page.
            let last = pages.pop().unwrap();
            let mut order: Vec<_> = last.into_iter().rev().collect();
            loop {
                disturb(&store, column, &lasting, &mut doomed, &mut random).await;
                match turn(&store, &mut query, &page, false).await {
                    Some(previous) => page = previous,
                    None => break,
                }
                order.extend(ids(&page).into_iter().rev());
            }
            order.retain(|id| kept.contains(id));
            order.reverse();
            assert!(order == expected, "{column:?} back: {} of {}", order.len(), expected.len());
        }
        store.close().await;
    })
    .await;
}

/// As above, with the writes at the same time instead of between two pages, and of a list that is filtered.
#[tokio::test(flavor = "multi_thread")]
async fn a_walk_and_writes_may_race() {
    on_both(|database| async {
        let store = database.open().await;
        let all = fill(&store).await;
        let (lasting, doomed) = all.split_at(5000);
        let (walked, mut doomed) = (AtomicBool::new(false), doomed.to_vec());
        let writes = async {
            let mut random = fastrand::Rng::with_seed(11);
            while !walked.load(Ordering::SeqCst) {
                disturb(&store, Column::UpdatedAt, lasting, &mut doomed, &mut random).await;
            }
        };
        let walks = async {
            for descending in [false, true] {
                let mut query = query(&[("mpn__contains", "mpn")], Column::UpdatedAt, descending, 100);
                let mut page = store.components(&query).await.unwrap();
                let mut seen: HashMap<ComponentId, usize> = HashMap::new();
                loop {
                    for id in ids(&page) {
                        *seen.entry(id).or_default() += 1;
                    }
                    match turn(&store, &mut query, &page, true).await {
                        Some(next) => page = next,
                        None => break,
                    }
                }
                assert!(lasting.iter().all(|id| seen.get(id) == Some(&1)));
                assert!(seen.values().all(|times| *times == 1));
            }
            walked.store(true, Ordering::SeqCst);
        };
        tokio::join!(writes, walks);
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_in_another_log_is_refused() {
    on_both(|database| async {
        let store = database.open().await;
        for name in ["a", "b"] {
            create(&store, json!({"name": name})).await;
        }
        let mut query = query(&[], Column::Name, false, 1);
        let mut place = store.components(&query).await.unwrap().next.unwrap();
        for since in [place.since.0 + 1, u64::MAX] {
            place.since = Seq(since);
            query.from = PageStart::After(place.clone());
            assert!(matches!(store.components(&query).await, Err(ReadError::Expired)), "{since}");
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
        store.write(operations.collect(), WriteContext::new(Actor::cli())).await.unwrap();
        let wanted: Vec<_> =
            skus.iter().step_by(2).chain([&"nobody".to_owned()]).map(|sku| sku.parse().unwrap()).collect();
        let found: Vec<Component> = store.components_by_sku(&wanted).await.unwrap();
        assert_eq!(found.len(), 600);
        store.close().await;
    })
    .await;
}

/// `.cargo/config.toml` says how SQLite is built. With one cache for all connections, or statistics of its memory, each
/// page that a connection looks at is a lock that the others wait for.
#[tokio::test(flavor = "multi_thread")]
async fn connections_to_sqlite_share_no_lock() {
    let database = TestDatabase::sqlite();
    database.open().await.close().await;
    let shell = database.shell().await;
    let sql = "SELECT group_concat(compile_options) FROM pragma_compile_options";
    let row = shell.query_one_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.unwrap().unwrap();
    let options: String = row.try_get_by_index(0).unwrap();
    assert!(options.contains("DEFAULT_MEMSTATUS=0"), "{options}");
    assert!(!options.contains("ENABLE_MEMORY_MANAGEMENT"), "{options}");
}
