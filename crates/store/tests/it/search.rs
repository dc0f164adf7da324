//! The search, the same on both databases.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicBool, Ordering},
};

use inventory_core::{Actor, Component, ComponentId};
use inventory_store::{
    Column, ComponentOperation, Filter, Page, PageStart, Period, Query, Search, Sort, Store,
    VersionPrecondition, WriteContext,
};
use proptest::{
    prelude::*,
    sample::{select, subsequence},
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::{
    database::{TestDatabase, create, new, on_both, patch},
    reads::{disturb, fill, turn},
};

fn query(text: &str, column: Column, limit: usize) -> Query {
    let search = Search::parse(text).unwrap();
    let sort = Sort { column, descending: false };
    Query { filters: Vec::new(), search, sort, from: PageStart::Start, limit }
}

async fn names(store: &Store, text: &str) -> Vec<String> {
    let page = store.components(&query(text, Column::Name, 100)).await.unwrap();
    assert_eq!(page.total, page.items.len() as u64, "{text}");
    page.items.iter().map(|item| item.name.to_string()).collect()
}

/// What a search means, without a database.
fn is_found(component: &Component, text: &str) -> bool {
    let Component { sku, name, description, mpn, manufacturer, tags, .. } = component;
    let mut texts = vec![name.to_string(), description.to_string()];
    texts.extend(sku.as_ref().map(ToString::to_string));
    texts.extend(mpn.as_ref().map(ToString::to_string));
    texts.extend(manufacturer.as_ref().map(ToString::to_string));
    texts.extend(tags.iter().map(ToString::to_string));
    let found = |word: &str| texts.iter().any(|text| text.to_ascii_lowercase().contains(word));
    text.to_ascii_lowercase().split_whitespace().all(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_word_is_found_as_part_of_a_word_in_any_column() {
    on_both(|database| async {
        let store = database.open().await;
        for value in [
            json!({"name": "alpha", "sku": "A_1/x", "manufacturer": "Nexperia", "tags": ["cmos", "logic gate"]}),
            json!({"name": "beta", "mpn": "A%2*", "description": "Quad 2-input \"NAND\"\ngate", "notes": "secret"}),
            json!({"name": "gamma", "sku": "c\\d'e", "manufacturer": "W\u{fc}rth", "tags": ["a]b[", "x-y"]}),
            json!({"name": "\u{1f50c} \u{3a9} plug", "description": "50 \u{b5}F"}),
        ] {
            create(&store, value).await;
        }
        let cases = [
            ("", &["alpha", "beta", "gamma", "\u{1f50c} \u{3a9} plug"][..]),
            ("ALPHA", &["alpha"]),
            ("lph", &["alpha"]),
            ("exper cmos", &["alpha"]),
            ("gate", &["alpha", "beta"]),
            ("gate 2", &["beta"]),
            ("gate nexperia beta", &[]),
            ("a", &["alpha", "beta", "gamma"]),
            ("ph", &["alpha"]),
            ("2-input", &["beta"]),
            ("\"nand\"", &["beta"]),
            ("nand gate", &["beta"]),
            ("%2*", &["beta"]),
            ("%", &["beta"]),
            ("_", &["alpha"]),
            ("a_1", &["alpha"]),
            ("c\\d", &["gamma"]),
            ("\\", &["gamma"]),
            ("d'e", &["gamma"]),
            ("'", &["gamma"]),
            ("*", &["beta"]),
            ("?", &[]),
            ("[", &["gamma"]),
            ("]b", &["gamma"]),
            ("b[", &["gamma"]),
            ("secret", &[]),
            // Tags, but not how they are stored.
            ("a]b[", &["gamma"]),
            ("\",\"", &[]),
            ("[\"", &[]),
            // Only ASCII letters are folded.
            ("w\u{fc}RTH", &["gamma"]),
            ("W\u{dc}RTH", &[]),
            ("\u{3a9}", &["\u{1f50c} \u{3a9} plug"]),
            ("\u{3c9}", &[]),
            ("\u{1f50c}", &["\u{1f50c} \u{3a9} plug"]),
            ("50 \u{b5}f", &["\u{1f50c} \u{3a9} plug"]),
            // What FTS5 and LIKE would take for operators.
            ("alpha OR beta", &[]),
            ("NOT", &[]),
            ("name:alpha", &[]),
            ("^alpha", &[]),
            ("nex* ", &[]),
            ("(gate)", &[]),
            ("{gate", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(names(&store, text).await, expected, "{text}");
        }
        store.index_search().await.unwrap();
        for (text, expected) in cases {
            assert_eq!(names(&store, text).await, expected, "{text}, indexed");
        }
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_search_follows_every_write_also_past_the_service() {
    on_both(|database| async {
        let store = database.open().await;
        let first = create(&store, json!({"name": "one thing"})).await;
        let second = create(&store, json!({"name": "another thing"})).await;
        let shell = database.shell().await;
        for indexed in [false, true, false] {
            if indexed {
                store.index_search().await.unwrap();
            }
            let id = first.id;
            for (name, found) in
                [("one item", &["another thing"][..]), ("one thing", &["another thing", "one thing"])]
            {
                let patch = patch(json!({"name": name}));
                let update = ComponentOperation::Update { id, expected: VersionPrecondition::Any, patch };
                store.write_one(update, WriteContext::new(Actor::cli())).await.unwrap();
                assert_eq!(names(&store, "thing").await, found);
            }
            shell.execute_unprepared("INSERT INTO component (name) VALUES ('some thing')").await.unwrap();
            assert_eq!(names(&store, "some thing").await, ["some thing"]);
            shell
                .execute_unprepared("UPDATE component SET name = 'a stone' WHERE name = 'some thing'")
                .await
                .unwrap();
            assert_eq!(names(&store, "some thing").await, [""; 0]);
            assert_eq!(names(&store, "stone").await, ["a stone"]);
            if indexed {
                store.index_search().await.unwrap();
            }
            shell.execute_unprepared("DELETE FROM component WHERE name = 'a stone'").await.unwrap();
            assert_eq!(names(&store, "stone").await, [""; 0]);
        }
        // The last row is deleted, and the next may get its place in the table.
        let mut last = second;
        for (indexed, name) in [(false, "replaced"), (true, "inserted again")] {
            store.index_search().await.unwrap();
            let delete = ComponentOperation::Delete { id: last.id, expected: VersionPrecondition::Any };
            store.write_one(delete, WriteContext::new(Actor::cli())).await.unwrap();
            if indexed {
                store.index_search().await.unwrap();
            }
            let gone = std::mem::replace(&mut last, create(&store, json!({"name": name})).await);
            for _ in 0..2 {
                assert_eq!(names(&store, &gone.name.to_string()).await, [""; 0]);
                assert_eq!(names(&store, name).await, [name]);
                store.index_search().await.unwrap();
            }
        }
        assert!(store.check().await.unwrap().violations.iter().all(|found| !found.contains("search")));
        store.close().await;
    })
    .await;
}

/// SQLite gives the place of a deleted row to a new one where no row comes after it.
#[tokio::test(flavor = "multi_thread")]
async fn the_search_knows_every_row_whatever_was_deleted_before_it() {
    on_both(|database| async {
        let store = database.open().await;
        let mut random = fastrand::Rng::with_seed(5);
        let mut live: Vec<Component> = Vec::new();
        for step in 0..400 {
            match random.u8(..6) {
                0..3 => live.push(create(&store, json!({"name": format!("item {step:03}")})).await),
                at @ 3..5 if !live.is_empty() => {
                    let at = if at == 3 { live.len() - 1 } else { random.usize(..live.len()) };
                    let (id, expected) = (live.remove(at).id, VersionPrecondition::Any);
                    let delete = ComponentOperation::Delete { id, expected };
                    store.write_one(delete, WriteContext::new(Actor::cli())).await.unwrap();
                }
                _ => store.index_search().await.unwrap(),
            }
            let expected: Vec<_> = live.iter().map(|component| component.name.to_string()).collect();
            assert_eq!(names(&store, "item").await, expected, "step {step}");
        }
        assert_eq!(store.check().await.unwrap().violations, [""; 0]);
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_migration_finds_rows_that_the_search_did_not_know() {
    const AS_BEFORE: &str = "
        DELETE FROM seaql_migrations WHERE version = 'm20261128_000010_search_end';
        DROP TRIGGER component_unindexed_del;
        CREATE TRIGGER component_unindexed_del AFTER DELETE ON component BEGIN
            INSERT INTO component_unindexed (component) VALUES (old.rowid) ON CONFLICT DO NOTHING;
        END;";
    let database = TestDatabase::sqlite();
    let store = database.open().await;
    database.shell().await.execute_unprepared(AS_BEFORE).await.unwrap();
    let delete = async |component: Component| {
        let delete = ComponentOperation::Delete { id: component.id, expected: VersionPrecondition::Any };
        store.write_one(delete, WriteContext::new(Actor::cli())).await.unwrap();
    };
    create(&store, json!({"name": "first"})).await;
    let second = create(&store, json!({"name": "second"})).await;
    let third = create(&store, json!({"name": "third"})).await;
    store.index_search().await.unwrap();
    delete(second).await;
    let fourth = create(&store, json!({"name": "fourth"})).await;
    store.index_search().await.unwrap();
    delete(third).await;
    delete(fourth).await;
    create(&store, json!({"name": "lost"})).await;
    assert_eq!(names(&store, "lost").await, [""; 0], "the defect is not there");
    store.close().await;
    let store = database.open().await;
    assert_eq!(names(&store, "lost").await, ["lost"]);
    assert_eq!(store.check().await.unwrap().violations, [""; 0]);
    store.close().await;
}

const CHARACTERS: [&str; 16] =
    ["a", "B", "b", "\u{e4}", "\u{c4}", "%", "_", "*", "'", "-", ".", "1", "(", "\u{1f50c}", "[", "]"];

/// PostgreSQL keeps its index itself.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_the_search_that_is_wrong_is_found_and_mended() {
    let database = TestDatabase::sqlite();
    let store = database.open().await;
    create(&store, json!({"name": "a thing"})).await;
    store.index_search().await.unwrap();
    let shell = database.shell().await;
    shell.execute_unprepared("UPDATE component_search SET text = 'something else'").await.unwrap();
    let report = store.check().await.unwrap();
    assert_eq!(report.violations.len(), 1);
    let (_, remedy) = report.violations[0].split_once("is wrong for 1 components: run `").unwrap();
    shell.execute_unprepared(remedy.split_once('`').unwrap().0).await.unwrap();
    assert_eq!(names(&store, "thing").await, ["a thing"]);
    store.index_search().await.unwrap();
    assert_eq!(names(&store, "thing").await, ["a thing"]);
    assert!(store.check().await.unwrap().is_sound());
    store.close().await;
}

/// Short texts of few characters, so that searches find some of them.
fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(select(&CHARACTERS[..]), 1..6).prop_map(|text| text.concat())
}

fn component() -> impl Strategy<Value = Value> {
    let line = || proptest::collection::vec(text(), 1..4).prop_map(|words| words.join(" "));
    let absent = || proptest::option::of(text());
    (line(), line(), absent(), absent(), proptest::collection::vec(text(), 0..3)).prop_map(
        |(name, description, mpn, manufacturer, tags)| {
            json!({"name": name, "description": description, "mpn": mpn, "manufacturer": manufacturer, "tags": tags})
        },
    )
}

/// Searches by several words find what a plain look at each component finds, whether or not it is in the
/// index, in the order of the list, page by page.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_finds_what_a_look_at_each_component_finds() {
    on_both(|database| async {
        let store = database.open().await;
        let mut runner = TestRunner::deterministic();
        let mut all: Vec<Component> = Vec::new();
        for _ in 0..2 {
            let values = proptest::collection::vec(component(), 300).new_tree(&mut runner).unwrap().current();
            let operations = values.into_iter().map(new).collect();
            let written = store.write(operations, WriteContext::new(Actor::cli())).await.unwrap();
            if all.is_empty() {
                store.index_search().await.unwrap();
            }
            all.extend(written.result.into_iter().map(|result| (*result.into_component()).clone()));
        }
        let words = proptest::collection::vec(text(), 1..4);
        let columns = subsequence(vec![Column::Id, Column::Name, Column::Mpn, Column::CreatedAt], 1);
        let cases = (words.prop_map(|words| words.join(" ")), columns, any::<bool>());
        let now = tokio::runtime::Handle::current();
        let mut runner =
            TestRunner::new_with_rng(Config::with_cases(150), TestRunner::deterministic().rng().clone());
        let searched = store.clone();
        let outcome = tokio::task::spawn_blocking(move || {
            runner.run(&cases, |(text, columns, descending)| {
                let mut query = query(&text, columns[0], 40);
                query.sort.descending = descending;
                let (found, total) = now.block_on(walk(&searched, query.clone()));
                let mut expected: Vec<_> =
                    all.iter().filter(|component| is_found(component, &text)).collect();
                expected.sort_by_key(|component| match columns[0] {
                    Column::Name => (component.name.to_string(), component.id),
                    Column::Mpn => {
                        (component.mpn.as_ref().map(ToString::to_string).unwrap_or_default(), component.id)
                    }
                    _ => (String::new(), component.id),
                });
                if descending {
                    expected.reverse();
                }
                prop_assert_eq!(total, expected.len() as u64);
                prop_assert_eq!(found, expected.iter().map(|component| component.id).collect::<Vec<_>>());
                Ok(())
            })
        });
        outcome.await.unwrap().unwrap();
        store.close().await;
    })
    .await;
}

/// The ids on all pages, and the total.
async fn walk(store: &Store, mut query: Query) -> (Vec<ComponentId>, u64) {
    let mut page = store.components(&query).await.unwrap();
    let (total, mut ids) = (page.total, Vec::new());
    loop {
        ids.extend(page.items.iter().map(|item| item.id));
        match turn(store, &mut query, &page, true).await {
            Some(next) => page = next,
            None => return (ids, total),
        }
    }
}

/// What a search finds throughout a walk is met exactly once, while others insert, delete and change.
#[tokio::test(flavor = "multi_thread")]
async fn a_walk_through_a_search_and_writes_may_race() {
    on_both(|database| async {
        let store = database.open().await;
        let all = fill(&store).await;
        let (lasting, doomed) = all.split_at(5000);
        let (walked, mut doomed) = (AtomicBool::new(false), doomed.to_vec());
        let writes = async {
            let mut random = fastrand::Rng::with_seed(13);
            while !walked.load(Ordering::SeqCst) {
                disturb(&store, Column::UpdatedAt, lasting, &mut doomed, &mut random).await;
            }
        };
        let walks = async {
            for descending in [false, true] {
                let mut query = query("mpn", Column::UpdatedAt, 200);
                query.sort.descending = descending;
                let mut page = store.components(&query).await.unwrap();
                let mut seen: HashMap<ComponentId, usize> = HashMap::new();
                loop {
                    for item in &page.items {
                        *seen.entry(item.id).or_default() += 1;
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

/// More is found than is counted: the total says so, and pages go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_finds_very_much_is_counted_up_to_a_limit() {
    on_both(|database| async {
        let store = database.open().await;
        let most = usize::try_from(Query::MAX_FOUND).unwrap();
        let operations = (0..most + 10)
            .map(|n| new(json!({"name": format!("part {n:05}"), "status": if n % 2 > 0 { "active" } else { "archived" }})))
            .collect();
        store.write(operations, WriteContext::new(Actor::cli())).await.unwrap();
        for text in ["part", "pa"] {
            let mut query = query(text, Column::Name, 3);
            let names = |page: &Page| page.items.iter().map(|item| item.name.to_string()).collect::<Vec<_>>();
            let first = store.components(&query).await.unwrap();
            assert_eq!((names(&first), first.total), (["part 00000", "part 00001", "part 00002"].map(str::to_owned).to_vec(), Query::MAX_FOUND));
            let second = turn(&store, &mut query, &first, true).await.unwrap();
            assert_eq!(names(&second), ["part 00003", "part 00004", "part 00005"]);
            let back = turn(&store, &mut query, &second, false).await.unwrap();
            assert_eq!(names(&back), names(&first));
            // With a filter it is few enough to be counted.
            query.from = PageStart::Start;
            query.filters = vec![Filter::parse("status", "archived").unwrap().unwrap()];
            let page = store.components(&query).await.unwrap();
            assert_eq!((names(&page)[1].as_str(), page.total), ("part 00002", Query::MAX_FOUND / 2 + 5));
        }
        store.close().await;
    })
    .await;
}

/// Much is found, but nothing of it among the first thousands of the list.
#[tokio::test(flavor = "multi_thread")]
async fn what_finds_very_much_late_in_the_list_finds_it() {
    on_both(|database| async {
        let store = database.open().await;
        let most = usize::try_from(Query::MAX_FOUND).unwrap();
        let late = (0..most + 5).map(|n| new(json!({"name": format!("part {n:05}"), "unit": "reel"})));
        let early = (0..6_000).map(|n| new(json!({"name": format!("early {n:05}")})));
        store.write(early.chain(late).collect(), WriteContext::new(Actor::cli())).await.unwrap();
        for indexed in [false, true] {
            if indexed {
                store.index_search().await.unwrap();
            }
            for (text, unit, descending) in [
                ("part", "", false),
                ("pa", "", false),
                ("part 0", "", true),
                ("early", "", true),
                ("", "reel", false),
                ("part", "reel", false),
                ("pa", "reel", true),
                ("", "pcs", true),
            ] {
                let mut query = query(text, Column::Name, 4_000);
                query.sort.descending = descending;
                query
                    .filters
                    .extend((!unit.is_empty()).then(|| Filter::parse("unit", unit).unwrap().unwrap()));
                let (found, total) = walk(&store, query.clone()).await;
                let first = store.components(&query).await.unwrap().items.remove(0);
                let (expected, name) = match (text, unit, descending) {
                    ("early", ..) | (_, "pcs", _) => (6_000, "early 05999"),
                    (.., true) => (most + 5, "part 10004"),
                    (.., false) => (most + 5, "part 00000"),
                };
                let counted = if text.is_empty() { expected } else { expected.min(most) };
                assert_eq!(found.iter().collect::<HashSet<_>>().len(), found.len());
                assert_eq!(
                    (found.len(), total, first.name.as_str()),
                    (expected, counted as u64, name),
                    "{text} {unit}"
                );
            }
        }
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_by_value_and_by_date_heed_the_search() {
    on_both(|database| async {
        let store = database.open().await;
        for (name, manufacturer) in [("74hc00", "a"), ("74hc04", "b"), ("4001", "b"), ("74hc08", "b")] {
            create(&store, json!({"name": name, "manufacturer": manufacturer, "tags": [manufacturer]})).await;
        }
        let query = query("74HC", Column::Id, 10);
        for column in [Column::Manufacturer, Column::Tags] {
            let facets = store.facets(&query, column, 10).await.unwrap();
            let counts: Vec<_> =
                facets.values.iter().map(|facet| (facet.value.as_deref(), facet.count)).collect();
            assert_eq!(counts, [(Some("b"), 2), (Some("a"), 1)]);
        }
        let dates = store.dates(&query, Column::CreatedAt, Period::All).await.unwrap();
        assert_eq!(dates.iter().map(|part| part.count).sum::<u64>(), 3);
        store.close().await;
    })
    .await;
}
