//! The list of components.

use axum::http::StatusCode;
use serde_json::json;

use crate::visitor::{COMPONENTS, MAX_PAGE_BYTES, Site};

#[tokio::test]
async fn an_empty_list_says_what_to_do() {
    for site in Site::each().await {
        let (mut editor, mut viewer) = (site.editor().await, site.viewer().await);
        editor.get(COMPONENTS).await.assert_has(&["No components yet", "href=\"/admin/components/new\""]);
        let page = viewer.get(COMPONENTS).await;
        assert!(page.has("No components yet") && !page.has("href=\"/admin/components/new\""));
        editor.get("/admin/components?q=nothing").await.assert_has(&["No results", "Show all components"]);
    }
}

#[tokio::test]
async fn every_column_sorts_both_ways_and_links_keep_the_rest() {
    for site in Site::each().await {
        for (name, sku, cost) in [("b", "1", "3"), ("a", "2", "1"), ("c", "3", "2")] {
            site.create(json!({"name": name, "sku": sku, "unit_cost": cost})).await;
        }
        let mut viewer = site.viewer().await;
        for (sort, names) in [
            ("", ["c", "a", "b"]),
            ("name", ["a", "b", "c"]),
            ("-name", ["c", "b", "a"]),
            ("sku", ["b", "a", "c"]),
            ("unit_cost", ["a", "c", "b"]),
            ("nonsense", ["c", "a", "b"]),
        ] {
            let page = viewer.get(&format!("{COMPONENTS}?sort={sort}&limit=25")).await;
            assert_eq!(page.names(), names, "{sort}");
        }
        let page = viewer.get("/admin/components?status=active&sort=name&limit=25").await;
        page.assert_has(&[
            "aria-sort=\"ascending\"><a href=\"/admin/components?status=active&#38;limit=25&#38;sort=-name\"",
            "Status: active",
        ]);
    }
}

#[tokio::test]
async fn pages_lead_through_everything_and_back() {
    for site in Site::each().await {
        site.fill(60).await;
        let mut viewer = site.viewer().await;
        let link = |page: &crate::visitor::Answer, relation: &str| {
            let text = page.text();
            let at = text.find(&format!("rel=\"{relation}\""))?;
            let link = text[at..].split_once("href=\"")?.1.split_once('"')?.0.to_owned();
            Some(link.replace("&#38;", "&"))
        };
        let first = viewer.get("/admin/components?sort=name&limit=25").await;
        first.assert_has(&["<span class=\"total\">60</span>"]);
        assert_eq!(link(&first, "prev"), None);
        let second = viewer.get(&link(&first, "next").unwrap()).await;
        let third = viewer.get(&link(&second, "next").unwrap()).await;
        assert_eq!(link(&third, "next"), None);
        let names: Vec<_> = [&first, &second, &third].iter().flat_map(|page| page.names()).collect();
        let expected: Vec<_> = (0..60).map(|number| format!("Part {number:05}")).collect();
        assert_eq!(names, expected);
        let back = viewer.get(&link(&third, "prev").unwrap()).await;
        assert_eq!(back.names(), second.names());
        // What was made up is the first page.
        assert_eq!(
            viewer.get("/admin/components?sort=name&limit=25&after=made-up").await.names(),
            first.names()
        );
    }
}

#[tokio::test]
async fn filters_narrow_the_list_and_wrong_ones_show_nothing() {
    for site in Site::each().await {
        site.create(
            json!({"name": "a", "manufacturer": "Nexperia", "tags": ["logic", "cmos"], "unit_cost": "0.5"}),
        )
        .await;
        site.create(json!({"name": "b", "manufacturer": "TI", "tags": ["logic"], "status": "archived"}))
            .await;
        let mut viewer = site.viewer().await;
        for (query, names) in [
            ("status=archived", vec!["b"]),
            ("manufacturer=TI", vec!["b"]),
            ("tags=logic", vec!["b", "a"]),
            ("tags=logic&tags=cmos", vec!["a"]),
            ("unit_cost__gte=0.4&unit_cost__lte=0.6", vec!["a"]),
            ("created_at__gte=2020-01-01&created_at__lte=2020-01-02", vec![]),
            ("status=&manufacturer=&unit_cost__gte=", vec!["b", "a"]),
        ] {
            assert_eq!(viewer.get(&format!("{COMPONENTS}?{query}")).await.names(), names, "{query}");
        }
        let page = viewer.get("/admin/components?unit_cost__gte=cheap").await;
        page.assert_has(&["Unit cost: &#34;cheap&#34; is not valid. Enter a number of at least 0"]);
        assert!(page.names().is_empty());
        // What is chosen leaves the other values in sight.
        let page = viewer.get("/admin/components/filters?manufacturer=TI").await;
        page.assert_has(&["value=\"Nexperia\"", "value=\"TI\" checked"]);
    }
}

#[tokio::test]
async fn columns_are_remembered_for_each_user() {
    for site in Site::each().await {
        site.create(json!({"name": "a", "barcode": "4006381333931"})).await;
        let mut viewer = site.viewer().await;
        assert!(!viewer.get(COMPONENTS).await.has("4006381333931"));
        let fields = [("column", "barcode"), ("column", "made up"), ("next", "/admin/components?sort=name")];
        let page = viewer.follow("/admin/components/columns", &fields).await;
        page.assert_has(&["4006381333931", "Barcode</th>"]);
        assert!(!page.has("Manufacturer</a>"));
        let page = viewer.follow("/admin/components/columns", &[("reset", "1"), ("next", COMPONENTS)]).await;
        assert!(!page.has("4006381333931"));
    }
}

#[tokio::test]
async fn a_cell_is_changed_where_it_stands() {
    for site in Site::each().await {
        let component = site.create(json!({"name": "a", "mpn": "old"})).await;
        let mut editor = site.editor().await;
        let path = format!("{COMPONENTS}/{}/cell/mpn", component.id);
        let form = editor.get(&path).await;
        assert_eq!((form.field("version"), form.field("value")), ("1", "old"));
        let page = editor.follow(&path, &[("version", "1"), ("value", " new ")]).await;
        page.assert_has(&[&format!("id=\"row-{}\"", component.id), "data-version=\"2\"", ">new<", "Saved."]);
        // Someone else was faster: nothing is written, and both are shown.
        let stale = editor.post(&path, &[("version", "1"), ("value", "mine")]).await;
        assert_eq!(stale.status, StatusCode::CONFLICT);
        stale.assert_has(&[
            "The value is now “new”",
            "name=\"value\" value=\"mine\"",
            "name=\"version\" value=\"2\"",
        ]);
        let wrong = editor.post(&path, &[("version", "2"), ("value", &"x".repeat(101))]).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        wrong.assert_has(&["must be at most 100 characters long", &"x".repeat(101)]);
        let fixed = editor.get(&format!("{COMPONENTS}/{}/cell/created_at", component.id)).await;
        assert_eq!(fixed.status, StatusCode::NOT_FOUND);
        assert_eq!(site.component(component.id).await.unwrap().mpn.unwrap().as_str(), "new");
    }
}

#[tokio::test]
async fn a_page_of_a_hundred_full_rows_stays_small() {
    for site in Site::each().await {
        for number in 0..100 {
            let tags: Vec<_> = (0..4).map(|tag| format!("tag-{tag}-{number}")).collect();
            site.create(json!({
                "name": format!("A component with quite a long name {number}"), "sku": format!("74xx/74HC{number:05}"),
                "description": "x".repeat(200), "manufacturer": "Nexperia", "mpn": "74HC00D,653", "tags": tags,
            }))
            .await;
        }
        let mut editor = site.editor().await;
        let page = editor.get("/admin/components?limit=100").await;
        assert_eq!(page.names().len(), 100);
        assert!(page.body.len() < MAX_PAGE_BYTES, "{} bytes", page.body.len());
    }
}
