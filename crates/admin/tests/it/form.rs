//! The form of a component.

use axum::http::StatusCode;
use serde_json::json;

use crate::visitor::{COMPONENTS, Site};

const NEW: &str = "/admin/components/new";

#[tokio::test]
async fn a_component_is_made_changed_and_deleted_with_forms_alone() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let page = editor
            .follow(
                NEW,
                &[
                    ("name", " 74HC00 "),
                    ("sku", "74xx/74HC00"),
                    ("description", "two\r\nlines"),
                    ("unit_cost", "0.25"),
                    ("currency", "eur"),
                    ("tags", "logic, cmos,, "),
                    ("status", "active"),
                    ("custom_name", "pins"),
                    ("custom_kind", "number"),
                    ("custom_value", "14"),
                    ("custom_name", ""),
                    ("custom_kind", "text"),
                    ("custom_value", ""),
                ],
            )
            .await;
        page.assert_has(&["Component created.", "<h1>74HC00</h1>", "name=\"tags\" value=\"cmos, logic\""]);
        let id = page.text().split_once("data-component=\"").unwrap().1.split('"').next().unwrap().to_owned();
        let component = site.component(inventory_core::ComponentId(id.parse().unwrap())).await.unwrap();
        let stored = serde_json::to_value(&component).unwrap();
        assert_eq!(stored["description"], "two\nlines");
        assert_eq!((&stored["currency"], &stored["custom_fields"]), (&json!("EUR"), &json!({"pins": 14})));
        assert_eq!(stored["created_by"], "user:editor");

        let path = format!("{COMPONENTS}/{id}");
        let fields = [("version", "1"), ("name", "74HC00"), ("description", "one line"), ("notes", "n")];
        let page = editor.follow(&path, &fields).await;
        page.assert_has(&[
            "Saved.",
            "Version 2",
            "Changed</span> <span>by editor</span>",
            "<del>two\nlines</del> <ins>one line</ins>",
            "web admin",
            "Custom fields",
        ]);
        let question = editor.get(&format!("{path}/delete")).await;
        question.assert_has(&["Delete 74HC00?", "name=\"version\" value=\"2\""]);
        let page = editor.follow(&format!("{path}/delete"), &[("version", "2")]).await;
        page.assert_has(&["1 component deleted."]);
        assert_eq!(site.component(component.id).await, None);
        // Its history outlives it.
        let history = editor.get(&format!("{path}/history")).await;
        history.assert_has(&["This component was deleted.", "Deleted", "Created"]);
    }
}

#[tokio::test]
async fn save_and_add_another_leads_to_an_empty_form_and_duplicate_to_a_full_one() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let page =
            editor.follow(NEW, &[("name", "a"), ("sku", "s"), ("unit", "m"), ("then", "another")]).await;
        page.assert_has(&["Component created.", "Open it", "<h1>New component</h1>"]);
        assert_eq!(page.field("name"), "");
        let id = page.text().split_once("href=\"/admin/components/0").unwrap().1.split('"').next().unwrap();
        let copy = editor.get(&format!("{NEW}?from=0{id}")).await;
        assert_eq!((copy.field("name"), copy.field("sku"), copy.field("unit")), ("a", "", "m"));
    }
}

#[tokio::test]
async fn every_wrong_field_has_its_error_beside_it_and_nothing_that_was_typed_is_lost() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        site.create(json!({"name": "first", "sku": "taken"})).await;
        let wrong = [
            ("name", ""),
            ("sku", "a\u{7}b"),
            ("description", "a\u{8}b"),
            ("manufacturer", "m\u{7}m"),
            ("mpn", "p\u{7}p"),
            ("barcode", "b\u{7}b"),
            ("unit", "u\u{7}u"),
            ("min_quantity", "-1"),
            ("unit_cost", "cheap"),
            ("currency", "euro"),
            ("datasheet_url", "javascript:alert(1)"),
            ("tags", "a\"b"),
            ("status", "gone"),
            ("notes", "a\u{8}b"),
            ("custom_name", "Pins"),
            ("custom_kind", "number"),
            ("custom_value", "many"),
        ];
        let page = editor.post(NEW, &wrong).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        for (name, _) in wrong.iter().take(14) {
            page.assert_has(&[&format!("<li><a href=\"#{name}\">")]);
        }
        page.assert_has(&[
            "Not saved. Fix these fields:",
            "Name must not be empty",
            "Unit cost: Enter a number of at least 0",
            "<span class=\"error\">Enter a number of at least 0",
            "value=\"cheap\"",
            "value=\"javascript:alert(1)\"",
            "Pins must be a number",
            "value=\"many\"",
            "<li><a href=\"#custom_fields\">",
        ]);
        let page =
            editor.post(NEW, &[("name", "second"), ("sku", "taken"), ("notes", "typed at length")]).await;
        assert_eq!(page.status, StatusCode::CONFLICT);
        page.assert_has(&["SKU is already used by another component", "typed at length"]);
        assert_eq!(site.count().await, 1);
    }
}

#[tokio::test]
async fn a_save_that_changes_nothing_is_no_event() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let component =
            site.create(json!({"name": "a", "custom_fields": {"rohs": true}, "tags": ["x"]})).await;
        let path = format!("{COMPONENTS}/{}", component.id);
        let page = editor.get(&path).await;
        let head = site.head().await;
        let names = ["version", "name", "sku", "unit", "min_quantity", "tags", "custom_name", "custom_value"];
        let mut fields: Vec<_> = names.iter().map(|name| (*name, page.field(name))).collect();
        fields.push(("custom_kind", "boolean"));
        editor.follow(&path, &fields).await.assert_has(&["No changes to save.", "Version 1"]);
        assert_eq!(site.head().await, head);
    }
}

#[tokio::test]
async fn a_delete_of_what_was_changed_meanwhile_is_asked_again() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let component = site.create(json!({"name": "a"})).await;
        site.change(component.id, json!({"name": "b"})).await;
        let page = editor.post(&format!("{COMPONENTS}/{}/delete", component.id), &[("version", "1")]).await;
        assert_eq!(page.status, StatusCode::CONFLICT);
        page.assert_has(&["changed by token robot in the meantime", "name=\"version\" value=\"2\""]);
        assert!(site.component(component.id).await.is_some());
    }
}

#[tokio::test]
async fn a_form_of_what_was_deleted_meanwhile_makes_it_anew() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let component = site.create(json!({"name": "a"})).await;
        site.delete(component.id).await;
        let fields = [("version", "1"), ("name", "a"), ("notes", "typed at length")];
        let page = editor.post(&format!("{COMPONENTS}/{}", component.id), &fields).await;
        assert_eq!(page.status, StatusCode::CONFLICT);
        page.assert_has(&[
            "was deleted in the meantime",
            "typed at length",
            "action=\"/admin/components/new\"",
        ]);
    }
}
