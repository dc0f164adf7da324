//! Two people change one component.

use axum::http::StatusCode;
use serde_json::json;

use crate::visitor::{COMPONENTS, Site};

#[tokio::test]
async fn a_stale_form_is_merged_field_by_field_and_saved_as_one_more_version() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let component = site
            .create(json!({"name": "a", "unit": "pcs", "notes": "n", "custom_fields": {"pins": 14, "rohs": true}}))
            .await;
        site.change(component.id, json!({"unit": "m", "name": "theirs", "custom_fields": {"pins": 16}}))
            .await;
        let path = format!("{COMPONENTS}/{}", component.id);
        let mine = [
            ("version", "1"),
            ("name", "mine"),
            ("unit", "pcs"),
            ("notes", "my notes"),
            ("custom_name", "pins"),
            ("custom_kind", "number"),
            ("custom_value", "14"),
            ("custom_name", "rohs"),
            ("custom_kind", "boolean"),
            ("custom_value", "no"),
        ];
        let page = editor.post(&path, &mine).await;
        assert_eq!(page.status, StatusCode::CONFLICT);
        page.assert_has(&[
            "Someone else changed this too",
            "token robot saved a change",
            "Name <span class=\"mark\">changed by both</span>",
            "Before: “a”",
            "name=\"take.name\" value=\"theirs\" required>",
            "name=\"take.unit\" value=\"theirs\" required checked>",
            "name=\"take.notes\" value=\"yours\" required checked>",
            "name=\"take.custom.pins\" value=\"theirs\" required checked>",
            "name=\"take.custom.rohs\" value=\"yours\" required checked>",
        ]);
        assert!(!page.has("take.sku"));
        assert_eq!(site.component(component.id).await.unwrap().version, 2, "nothing is saved yet");

        let mut merge: Vec<_> = mine.to_vec();
        merge[0].1 = "2";
        merge.extend([
            ("base", "1"),
            ("take.unit", "theirs"),
            ("take.notes", "yours"),
            ("take.custom.pins", "theirs"),
            ("take.custom.rohs", "yours"),
        ]);
        let incomplete = editor.post(&format!("{path}/merge"), &merge).await;
        assert_eq!(incomplete.status, StatusCode::UNPROCESSABLE_ENTITY);
        incomplete.assert_has(&["Choose a value for every field below.", "Before: “a”"]);
        merge.push(("take.name", "yours"));
        editor.follow(&format!("{path}/merge"), &merge).await.assert_has(&["Saved.", "Version 3"]);
        let merged = serde_json::to_value(site.component(component.id).await.unwrap()).unwrap();
        assert_eq!(
            (&merged["name"], &merged["unit"], &merged["notes"], &merged["custom_fields"]),
            (&json!("mine"), &json!("m"), &json!("my notes"), &json!({"pins": 16, "rohs": false}))
        );
        assert_eq!((&merged["updated_by"], &merged["version"]), (&json!("user:editor"), &json!(3)));
    }
}

#[tokio::test]
async fn a_third_person_during_the_merge_is_met_in_the_same_way() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let component = site.create(json!({"name": "a", "unit": "pcs"})).await;
        site.change(component.id, json!({"unit": "m"})).await;
        site.change(component.id, json!({"mpn": "third"})).await;
        let fields = [
            ("version", "2"),
            ("base", "1"),
            ("name", "mine"),
            ("unit", "pcs"),
            ("mpn", ""),
            ("take.name", "yours"),
            ("take.unit", "theirs"),
        ];
        let page = editor.post(&format!("{COMPONENTS}/{}/merge", component.id), &fields).await;
        assert_eq!(page.status, StatusCode::CONFLICT);
        page.assert_has(&[
            "name=\"version\" value=\"3\"",
            "name=\"base\" value=\"1\"",
            "name=\"take.mpn\" value=\"theirs\" required checked>",
            "name=\"take.unit\" value=\"theirs\" required checked>",
            "name=\"take.name\" value=\"yours\" required checked>",
        ]);
        assert_eq!(site.component(component.id).await.unwrap().version, 3);
    }
}
