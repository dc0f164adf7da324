//! Counts of components by value and by date.

use inventory_core::{Actor, Clock, ComponentPatch};
use inventory_store::{
    Column, ComponentOperation, Config, Facets, Filter, PageStart, Period, Query, Sort, Store,
    VersionPrecondition, WriteContext,
};
use serde_json::json;
use time::{Month, macros::datetime};

use crate::database::{create, new, on_both};

fn query(filters: &[(&str, &str)]) -> Query {
    let filters = filters.iter().map(|(name, value)| Filter::parse(name, value).unwrap().unwrap()).collect();
    Query {
        filters,
        search: None,
        sort: Sort { column: Column::Id, descending: false },
        from: PageStart::Start,
        limit: 1,
    }
}

fn lines(facets: &Facets) -> Vec<String> {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    facets.values.iter().map(|facet| format!("{} {}", value(&facet.value), facet.count)).collect()
}

/// Changes a component of this name.
async fn change(store: &Store, name: &str) {
    let found = store.components(&query(&[("name", name)])).await.unwrap();
    let patch = Box::new(ComponentPatch::from_json(json!({"mpn": "changed"})).unwrap());
    let operation =
        ComponentOperation::Update { id: found.items[0].id, expected: VersionPrecondition::Any, patch };
    store.write_one(operation, WriteContext::new(Actor::cli())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn facets_count_each_value_under_the_filters() {
    on_both(|database| async {
        let store = database.open().await;
        let operations = (0..60_u32).map(|n| {
            new(json!({
                "name": format!("n{n}"), "status": if n % 4 == 0 { "archived" } else { "active" },
                "manufacturer": (n % 3 > 0).then(|| format!("m{}", n % 3)),
                "tags": if n % 2 == 0 { vec!["a\u{e9}", "b"] } else if n % 5 == 0 { vec!["b"] } else { vec![] },
            }))
        });
        store.write(operations.collect(), WriteContext::new(Actor::cli())).await.unwrap();
        let archived = [("status", "archived")];
        for (filters, column, limit, expected, more) in [
            (&[][..], Column::Status, 9, &["active 45", "archived 15"][..], false),
            (&[], Column::Manufacturer, 9, &["- 20", "m1 20", "m2 20"], false),
            (&[], Column::Manufacturer, 2, &["- 20", "m1 20"], true),
            (&archived, Column::Manufacturer, 9, &["- 5", "m1 5", "m2 5"], false),
            (&[], Column::Tags, 9, &["b 36", "a\u{e9} 30"], false),
            (&[("manufacturer__isnull", "true")], Column::Tags, 9, &["b 12", "a\u{e9} 10"], false),
            (&archived, Column::Currency, 9, &["- 15"], false),
            (&[], Column::CreatedBy, 9, &["cli 60"], false),
            (&[("name", "nobody")], Column::Unit, 9, &[], false),
            // Each value once says nothing.
            (&[], Column::Name, 9, &[], false),
        ] {
            let facets = store.facets(&query(filters), column, limit).await.unwrap();
            assert_eq!((lines(&facets), facets.more), (expected.iter().map(|&line| line.to_owned()).collect(), more), "{column:?} {filters:?}");
            // Of several at once each is as by itself.
            let columns = [Column::Status, column, Column::Unit, Column::Tags];
            let at_once = store.facets_at_once(&query(filters), &columns, limit).await.unwrap();
            let by_itself = at_once.get(1).filter(|_| column.countable());
            assert_eq!(by_itself.unwrap_or(&facets), &facets, "{column:?} {filters:?}");
        }
        // A tag is found as it is written, whether or not the index of the search has it yet.
        let tagged = ["tag-one", "Tag-One", "tag-one-more"];
        let operations = tagged.map(|tag| new(json!({"name": tag, "tags": [tag, "b"]})));
        store.write(operations.into(), WriteContext::new(Actor::cli())).await.unwrap();
        for _ in 0..2 {
            for tag in tagged {
                let query = query(&[("tags", tag), ("tags", "b")]);
                let found = store.components(&query).await.unwrap();
                assert_eq!((found.items[0].name.as_str(), found.total), (tag, 1));
                let facets = store.facets_at_once(&query, &[Column::Tags], 9).await.unwrap();
                assert_eq!(facets[0].values.len(), 2, "{facets:?}");
                assert_eq!(store.dates(&query, Column::CreatedAt, Period::All).await.unwrap()[0].count, 1);
            }
            store.index_search().await.unwrap();
        }
        let operations = (0..=Store::MAX_FACETS).map(|n| new(json!({"name": "n", "unit": format!("u{n}")})));
        store.write(operations.collect(), WriteContext::new(Actor::cli())).await.unwrap();
        let facets = store.facets(&query(&[]), Column::Unit, usize::MAX).await.unwrap();
        assert_eq!((facets.values.len(), facets.more), (Store::MAX_FACETS, true));
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facets_of_many_components_are_counted_so_far() {
    on_both(|database| async {
        let store = database.open().await;
        let many = usize::try_from(Store::MAX_COUNTED).unwrap();
        for (number, status) in [(many, "active"), (1, "archived")] {
            let operations = (0..number).map(|_| new(json!({"name": "n", "status": status})));
            store.write(operations.collect(), WriteContext::new(Actor::cli())).await.unwrap();
        }
        // The newest ones are among them.
        let facets = store.facets_at_once(&query(&[]), &[Column::Status], 9).await.unwrap();
        assert!(facets[0].partial);
        assert_eq!(facets[0].values.len(), 2, "{facets:?}");
        let facets =
            store.facets_at_once(&query(&[("status", "active")]), &[Column::Status], 9).await.unwrap();
        assert_eq!((facets[0].partial, lines(&facets[0])), (false, vec![format!("active {many}")]));
        // So are dates: without a filter all are counted, with one at most the limit.
        for (filters, expected) in [
            (&[][..], (many as u64 + 1, false)),
            (&[("name", "n")][..], (1_000, true)),
            (&[("status", "active")][..], (many as u64, false)),
        ] {
            let dates = store.dates(&query(filters), Column::CreatedAt, Period::All).await.unwrap();
            let [year] = dates[..] else { panic!("{dates:?}") };
            assert_eq!((year.count, year.partial), expected, "{filters:?}");
        }
        // A browsed list reports that many.
        let browsed = store.browse(&query(&[("name", "n")])).await.unwrap();
        assert_eq!((browsed.total, browsed.items.len()), (Query::MAX_FOUND, 1));
        assert_eq!(store.browse(&query(&[])).await.unwrap().total, many as u64 + 1);
        // A filter that finds more than are gathered counts all of them nevertheless.
        let found = store.components(&query(&[("name", "n")])).await.unwrap();
        assert_eq!((found.total, found.items.len()), (many as u64 + 1, 1));
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_are_counted_by_year_month_and_day() {
    on_both(|database| async {
        let clock = Clock::fixed(datetime!(2024-02-29 23:59:59.999999 UTC));
        let store = Store::open(Config { clock: clock.clone(), ..database.config() }).await.unwrap();
        create(&store, json!({"name": "leap"})).await;
        for (at, name) in [
            (datetime!(2024-03-01 00:00 UTC), "march"),
            (datetime!(2024-12-31 23:59:59.999999 UTC), "last"),
            (datetime!(2025-01-01 00:00 UTC), "first"),
            (datetime!(2025-01-01 12:00 UTC), "noon"),
        ] {
            clock.set(at);
            create(&store, json!({"name": name})).await;
        }
        // What was changed has another time there.
        clock.set(datetime!(2026-05-05 05:05 UTC));
        change(&store, "last").await;
        let changed = store.dates(&query(&[]), Column::UpdatedAt, Period::All).await.unwrap();
        let lines: Vec<_> = changed.iter().map(|part| format!("{} {}", part.start, part.count)).collect();
        assert_eq!(lines, ["2024-01-01 2", "2025-01-01 2", "2026-01-01 1"]);
        assert_eq!(store.dates(&query(&[]), Column::Name, Period::All).await.unwrap(), []);
        for (filters, period, expected) in [
            (&[][..], Period::All, &["2024-01-01 3", "2025-01-01 2"][..]),
            (&[], Period::Year(2024), &["2024-02-01 1", "2024-03-01 1", "2024-12-01 1"]),
            (&[], Period::Month(2024, Month::December), &["2024-12-31 1"]),
            (&[], Period::Month(2025, Month::January), &["2025-01-01 2"]),
            (&[("name", "noon")], Period::Year(2025), &["2025-01-01 1"]),
            (&[], Period::Year(1999), &[]),
            (&[], Period::Year(123_456_789), &[]),
        ] {
            let counts = store.dates(&query(filters), Column::CreatedAt, period).await.unwrap();
            let lines: Vec<_> = counts.iter().map(|part| format!("{} {}", part.start, part.count)).collect();
            assert_eq!(lines, expected, "{period:?}");
            // The filter that a period stands for finds as many.
            if let Some((first, last)) = period.bounds() {
                let text = |at: time::OffsetDateTime| {
                    at.format(&time::format_description::well_known::Rfc3339).unwrap()
                };
                let (first, last) = (text(first), text(last));
                let bounds = [("created_at__gte", &*first), ("created_at__lte", &*last)];
                let page = store.components(&query(&[filters, &bounds].concat())).await.unwrap();
                assert_eq!(page.total, counts.iter().map(|part| part.count).sum::<u64>(), "{period:?}");
            }
        }
        store.close().await;
    })
    .await;
}
