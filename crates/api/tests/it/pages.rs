//! Lists: pages, order, filters, fields.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    database::TestDatabase,
    service::{COMPONENTS, Service},
};

const BATCH: &str = "/api/v1/components/batch";

/// A service with components 0 to `count`, of which each has the same manufacturer as two others.
async fn filled(database: TestDatabase, count: usize) -> Service {
    let service = Service::on(database).await;
    let operations: Vec<Value> = (0..count)
        .map(|n| {
            let manufacturer = (n % 3 > 0).then(|| format!("m{}", n % 5));
            let component = json!({
                "name": format!("part {n:03}"), "sku": format!("S{:03}", count - n),
                "manufacturer": manufacturer, "min_quantity": (n % 4).to_string(),
                "unit_cost": (n % 2 == 0).then(|| format!("0.{n}")),
                "tags": if n % 2 == 0 { vec!["even"] } else { vec!["odd", "all"] },
            });
            json!({"op": "create", "component": component})
        })
        .collect();
    let answer = service.post(BATCH, &json!({"operations": operations})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    service
}

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

fn names(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_order_is_walked_to_its_end_and_back() {
    for database in TestDatabase::each() {
        let service = filled(database, 47).await;
        for sort in [
            "id",
            "-id",
            "sku",
            "-sku",
            "name",
            "-name",
            "manufacturer",
            "-manufacturer",
            "mpn",
            "-mpn",
            "min_quantity",
            "-min_quantity",
            "unit_cost",
            "-unit_cost",
            "status",
            "-status",
            "created_at",
            "-created_at",
            "updated_at",
            "-updated_at",
        ] {
            let first = format!("{COMPONENTS}?limit=10&sort={sort}");
            let mut pages = vec![service.get(&first).await.json()];
            while let Some(cursor) = pages.last().unwrap()["next_cursor"].as_str() {
                pages.push(service.get(&format!("{first}&cursor={cursor}")).await.json());
            }
            let sizes: Vec<_> = pages.iter().map(|page| ids(page).len()).collect();
            assert_eq!(sizes, [10, 10, 10, 10, 7], "{sort}");
            let all: BTreeSet<_> = pages.iter().flat_map(ids).collect();
            assert_eq!(all.len(), 47, "{sort}");
            assert!(pages.iter().all(|page| page["total"] == 47), "{sort}");
            assert_eq!(pages[0]["previous_cursor"], Value::Null, "{sort}");
            // Back again, page by page.
            for two in pages.windows(2).rev() {
                let cursor = two[1]["previous_cursor"].as_str().unwrap();
                let back = service.get(&format!("{first}&cursor={cursor}")).await.json();
                assert_eq!(ids(&back), ids(&two[0]), "{sort}");
            }
            // The other direction is the reverse.
            let reversed = match sort.strip_prefix('-') {
                Some(column) => column.to_owned(),
                None => format!("-{sort}"),
            };
            let other = service.get(&format!("{COMPONENTS}?limit=200&sort={reversed}")).await.json();
            let forwards: Vec<_> = pages.iter().flat_map(ids).rev().collect();
            assert_eq!(ids(&other), forwards, "{sort}");
        }
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn the_links_lead_through_the_pages() {
    let service = filled(TestDatabase::sqlite(), 5).await;
    let mut path = format!("{COMPONENTS}?tags=odd&limit=1&sort=name&fields=name,id&name__contains=part%20");
    let mut seen = Vec::new();
    loop {
        let answer = service.get(&path).await;
        seen.extend(names(&answer.json()));
        let links = answer.header("link");
        let next = links.split(", ").find_map(|link| link.strip_suffix(">; rel=\"next\""));
        let Some(next) = next else {
            assert!(links.contains("rel=\"prev\"") && links.contains("rel=\"first\""), "{links}");
            break;
        };
        path = next.strip_prefix('<').unwrap().to_owned();
    }
    assert_eq!(seen, ["part 001", "part 003"]);
    // A list on one page has no other.
    assert!(!service.get(COMPONENTS).await.headers.contains_key("link"));
}

#[tokio::test]
async fn filters_narrow_the_list() {
    for database in TestDatabase::each() {
        let service = filled(database, 12).await;
        for (query, expected) in [
            ("sku=S012", vec![0]),
            ("sku__in=S012,S011,nothing", vec![0, 1]),
            ("name__gte=part%20010", vec![10, 11]),
            ("name__lte=part%20001", vec![0, 1]),
            ("name__contains=PART%2001", vec![10, 11]),
            ("name__contains=%25", vec![]),
            ("name__contains=_", vec![]),
            ("manufacturer__isnull=true", vec![0, 3, 6, 9]),
            ("manufacturer__isnull=false&tags=even", vec![2, 4, 8, 10]),
            ("tags__in=all,nothing&name__gte=part%20007", vec![7, 9, 11]),
            ("min_quantity=3", vec![3, 7, 11]),
            ("min_quantity__gte=2&min_quantity__lte=2.5", vec![2, 6, 10]),
            ("unit_cost=0.40", vec![4]),
            ("unit_cost__isnull=false&unit_cost__gte=0.6", vec![6, 8]),
            ("created_at__gte=2027-01-15T08:00:00Z&name=part%20000", vec![0]),
            ("created_at__lte=2027-01-15T07:59:59.999999Z", vec![]),
            ("status=archived", vec![]),
            ("version=1&name__in=part%20000", vec![0]),
            ("created_by=token:tests&name=part%20011", vec![11]),
        ] {
            let page = service.get(&format!("{COMPONENTS}?{query}")).await.json();
            let expected: Vec<_> = expected.into_iter().map(|n| format!("part {n:03}")).collect();
            assert_eq!(names(&page), expected, "{query}");
            assert_eq!(page["total"], expected.len(), "{query}");
        }
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn words_are_searched_with_filters_and_through_pages() {
    for database in TestDatabase::each() {
        let service = filled(database, 12).await;
        for (query, expected) in [
            // In the name or in the sku.
            ("q=PART+01", vec![0, 1, 2, 10, 11]),
            ("q=odd&name__gte=part%20007", vec![7, 9, 11]),
            ("q=%25", vec![]),
            ("q=+", (0..12).collect()),
            ("q=", (0..12).collect()),
        ] {
            let page = service.get(&format!("{COMPONENTS}?{query}")).await.json();
            let expected: Vec<_> = expected.into_iter().map(|n| format!("part {n:03}")).collect();
            assert_eq!(names(&page), expected, "{query}");
            assert_eq!(page["total"], expected.len(), "{query}");
        }
        // The links repeat the words, and a cursor belongs to them.
        let first = service.get(&format!("{COMPONENTS}?q=part+01&limit=2&sort=-name")).await;
        assert_eq!(names(&first.json()), ["part 011", "part 010"]);
        assert!(first.header("link").contains("q=part%2001"), "{}", first.header("link"));
        let page = first.json();
        let cursor = page["next_cursor"].as_str().unwrap();
        let list = format!("{COMPONENTS}?limit=2&sort=-name&cursor={cursor}");
        assert_eq!(names(&service.get(&format!("{list}&q=part+01")).await.json()), ["part 002", "part 001"]);
        for other in ["", "&q=part+0"] {
            service.get(&format!("{list}{other}")).await.problem(400, "invalid-cursor");
        }
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn fields_choose_the_members() {
    let service = filled(TestDatabase::sqlite(), 1).await;
    let page = service.get(&format!("{COMPONENTS}?fields=sku,name")).await.json();
    assert_eq!(page["items"], json!([{"name": "part 000", "sku": "S001"}]));
    let whole = service.get(COMPONENTS).await.json()["items"][0].clone();
    let path = format!("{COMPONENTS}/{}?fields=version,tags", whole["id"].as_str().unwrap());
    assert_eq!(service.get(&path).await.json(), json!({"tags": ["even"], "version": 1}));
    let problem = service.get(&format!("{COMPONENTS}?fields=colour")).await.problem(400, "invalid-parameter");
    assert_eq!(problem["errors"][0]["parameter"], "fields");
}

#[tokio::test]
async fn a_cursor_that_was_not_made_for_this_list_is_refused() {
    for database in TestDatabase::each() {
        let service = filled(database, 3).await;
        let list = format!("{COMPONENTS}?limit=1&sort=unit_cost");
        let page = service.get(&list).await.json();
        let cursor = page["next_cursor"].as_str().unwrap();
        for (other, cursor) in [
            (format!("{COMPONENTS}?sort=-unit_cost"), cursor),
            (COMPONENTS.to_owned() + "?", cursor),
            (format!("{list}&status=active"), cursor),
            (list.clone(), &cursor[1..]),
            (list.clone(), &cursor[..cursor.len() - 1]),
            (list.clone(), "eyJzIjoidW5pdF9jb3N0In0"),
            (list.clone(), "!"),
            (list.clone(), "%ff"),
        ] {
            let answer = service.get(&format!("{other}&cursor={cursor}")).await;
            assert_eq!(answer.status, 400, "{other} {cursor}");
        }
        // Whatever it says, a forged one never reaches the database with a value of another kind.
        let forge = |key: &str| {
            use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
            let whole = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).unwrap()).unwrap();
            let (before, after) = whole.split_once("\"k\":").unwrap();
            let (_, after) = after.split_once(',').unwrap();
            URL_SAFE_NO_PAD.encode(format!("{before}\"k\":{key},{after}"))
        };
        for key in ["\"text\"", "null", "1.5", "[]", "9223372036854775808", "\"\\u0000\""] {
            service.get(&format!("{list}&cursor={}", forge(key))).await.problem(400, "invalid-cursor");
        }
        for key in ["-9223372036854775808", "9223372036854775807"] {
            assert_eq!(service.get(&format!("{list}&cursor={}", forge(key))).await.status, 200, "{key}");
        }
        service.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exists_throughout_appears_once_while_others_come_and_go() {
    let service = filled(TestDatabase::sqlite(), 100).await;
    let kept: BTreeSet<String> =
        ids(&service.get(&format!("{COMPONENTS}?limit=200")).await.json()).into_iter().collect();
    let churn = async {
        for n in 0..60 {
            let (path, _) = service.created(json!({"name": format!("part {:03}x", n * 2)})).await;
            if n % 2 == 0 {
                service.delete(&path, "*").await;
            }
        }
    };
    let walk = async {
        let mut seen = Vec::new();
        let first = format!("{COMPONENTS}?limit=3&sort=name");
        let mut page = service.get(&first).await.json();
        loop {
            seen.extend(ids(&page));
            let Some(cursor) = page["next_cursor"].as_str() else { return seen };
            page = service.get(&format!("{first}&cursor={cursor}")).await.json();
        }
    };
    let ((), seen) = tokio::join!(churn, walk);
    let seen_once: BTreeSet<_> = seen.iter().cloned().collect();
    assert_eq!(seen_once.len(), seen.len(), "a component was seen twice");
    assert!(kept.is_subset(&seen_once), "a component was missed");
}
