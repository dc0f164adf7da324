//! Doing one thing to many components.

use axum::http::StatusCode;
use serde_json::json;

use crate::visitor::{COMPONENTS, MAX_PAGE_BYTES, Site};

const CONFIRM: &str = "/admin/components/bulk";
const RUN: &str = "/admin/components/bulk/run";

#[tokio::test]
async fn selected_rows_are_changed_in_one_transaction_with_one_event_each() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let mut rows = Vec::new();
        for name in ["a", "b", "c"] {
            rows.push(format!("{}:1", site.create(json!({"name": name, "tags": ["old"]})).await.id));
        }
        let head = site.head().await;
        let selected = [("row", rows[0].as_str()), ("row", &rows[1]), ("list.sort", "name")];
        let with = |more: &[(&'static str, &'static str)]| [selected.as_slice(), more].concat();
        let page = editor.post(CONFIRM, &with(&[("action", "archive")])).await;
        page.assert_has(&["Archive 2 components?", "<li>a</li>", "<li>b</li>", "name=\"count\" value=\"2\""]);
        assert_eq!(site.head().await, head, "a question changes nothing");
        let answer = editor.post(RUN, &with(&[("action", "archive"), ("count", "2")])).await;
        assert_eq!(
            (answer.status, answer.location().as_str()),
            (StatusCode::SEE_OTHER, "/admin/components?sort=name")
        );
        let page = editor.get(&answer.location()).await;
        page.assert_has(&["2 components changed."]);
        assert_eq!(site.head().await, head + 2);
        let archived = editor.get("/admin/components?status=archived&sort=name").await;
        assert_eq!(archived.names(), ["a", "b"]);
        let page = editor.get(&format!("{COMPONENTS}/{}", &rows[0][..36])).await;
        page.assert_has(&["<del>active</del> <ins>archived</ins>"]);
    }
}

#[tokio::test]
async fn a_row_that_was_changed_meanwhile_keeps_all_as_they_are() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let (a, b) = (site.create(json!({"name": "a"})).await, site.create(json!({"name": "b"})).await);
        site.change(b.id, json!({"name": "b2"})).await;
        let rows = [format!("{}:1", a.id), format!("{}:1", b.id)];
        let fields = [("row", rows[0].as_str()), ("row", &rows[1]), ("action", "delete"), ("count", "2")];
        let page = editor.post(RUN, &fields).await;
        assert_eq!(page.status, StatusCode::CONFLICT);
        page.assert_has(&[
            "Nothing was changed. b2 was changed by token robot in the meantime.",
            &format!("{}:2", b.id),
        ]);
        assert_eq!(site.count().await, 2);
    }
}

#[tokio::test]
async fn everything_that_matches_is_tagged_and_deleted_and_no_page_names_all() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        site.fill(1200).await;
        site.create(json!({"name": "other"})).await;
        let everything = [("everything", "1"), ("list.tags", "bulk")];
        let with = |more: &[(&'static str, &'static str)]| [everything.as_slice(), more].concat();
        let page = editor.post(CONFIRM, &with(&[("action", "add-tag")])).await;
        page.assert_has(&["Add a tag to 1,200 components", "and 1,195 more", "Part 00000"]);
        assert!(!page.has("Part 00007") && page.body.len() < MAX_PAGE_BYTES / 10);
        let wrong =
            editor.post(RUN, &with(&[("action", "add-tag"), ("count", "1200"), ("tag", "a,b")])).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        wrong.assert_has(&["The tag must be one line of text without commas"]);
        editor
            .follow(RUN, &with(&[("action", "add-tag"), ("count", "1200"), ("tag", "new")]))
            .await
            .assert_has(&["1200 components changed."]);
        assert_eq!(editor.get("/admin/components?tags=new").await.names().len(), 50);
        // The number that was agreed to is no longer the number.
        let moved = editor.post(RUN, &with(&[("action", "delete"), ("count", "1100")])).await;
        assert_eq!(moved.status, StatusCode::CONFLICT);
        moved.assert_has(&["The number of matching components has changed.", "Delete 1,200 components?"]);
        let head = site.head().await;
        editor
            .follow(RUN, &with(&[("action", "delete"), ("count", "1200")]))
            .await
            .assert_has(&["1200 components deleted."]);
        assert_eq!((site.count().await, site.head().await), (1, head + 1200));
    }
}

#[tokio::test]
async fn a_list_with_a_wrong_filter_is_not_the_list_of_everything() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        site.create(json!({"name": "a"})).await;
        let fields =
            [("everything", "1"), ("list.unit_cost__gte", "cheap"), ("action", "delete"), ("count", "1")];
        for path in [CONFIRM, RUN] {
            assert_eq!(editor.post(path, &fields).await.status, StatusCode::BAD_REQUEST);
        }
        let nothing = editor.post(CONFIRM, &[("action", "delete")]).await;
        nothing.assert_has(&["No rows selected."]);
        assert_eq!(site.count().await, 1);
    }
}

#[tokio::test]
async fn a_field_is_changed_of_many_at_once() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let a = site.create(json!({"name": "a", "manufacturer": "TI", "notes": "kept"})).await;
        let b = site.create(json!({"name": "b"})).await;
        let with = |field: &'static str, value: &'static str| {
            [("everything", "1"), ("action", "set"), ("count", "2"), ("field", field), ("value", value)]
        };
        let page = editor.post(CONFIRM, &with("", "")[..2]).await;
        page.assert_has(&["Change a field in 2 components", "<option value=\"unit\">Unit</option>"]);
        editor.follow(RUN, &with("manufacturer", " Nexperia ")).await.assert_has(&["2 components changed."]);
        for id in [a.id, b.id] {
            let component = site.component(id).await.unwrap();
            assert_eq!((component.manufacturer.unwrap().as_str(), component.version), ("Nexperia", 2));
        }
        let head = site.head().await;
        let wrong = editor.post(RUN, &with("unit_cost", "cheap")).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        wrong.assert_has(&["Enter a number of at least", "value=\"cheap\"", "value=\"unit_cost\" selected"]);
        // What is not to be shared is not changed this way.
        assert_eq!(editor.post(RUN, &with("sku", "x")).await.status, StatusCode::BAD_REQUEST);
        assert_eq!(site.head().await, head);
    }
}
