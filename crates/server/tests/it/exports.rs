//! What is exported can be imported again, and then nothing changes.

use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    command::{run, run_with},
    database::TestDatabase,
    server::{Server, TOKEN},
};

/// One line of text at its worst: separators, quotes, formulas, other scripts and kinds of space.
fn line() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        Just(','),
        Just('"'),
        Just('\''),
        Just(';'),
        Just('='),
        Just('@'),
        Just('{'),
        Just('}'),
        Just('\\'),
        Just('\u{3000}'),
        Just('\u{2028}'),
        Just('\u{feff}'),
        Just('\u{3a9}'),
        Just('\u{1f529}'),
        Just('-'),
        any::<char>().prop_filter("no control characters", |c| !c.is_control() && *c > ' ' && *c != '\u{a0}'),
    ];
    prop::collection::vec(character, 1..12).prop_map(String::from_iter)
}

/// Text of several lines, with whatever may be at its ends.
fn lines() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\r".to_owned()),
        Just("\t".to_owned()),
        Just(" ".to_owned()),
        line()
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn component() -> impl Strategy<Value = Value> {
    let tag = line().prop_filter("a tag", |tag| !tag.contains([',', '"', '\\']));
    let custom = prop_oneof![
        lines().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no others", |number| number.is_finite()).prop_map(Value::from),
    ];
    let texts = (
        line(),
        lines(),
        lines(),
        prop::option::of(line()),
        prop::option::of(line()),
        prop::option::of(line()),
        line(),
    );
    let others = (
        prop::option::of(
            (0..1_000_000_000_000_u64, 0..1_000_000_u32)
                .prop_map(|(whole, micros)| format!("{whole}.{micros:06}")),
        ),
        prop::option::of("[A-Z]{3}"),
        prop::option::of("https?://[a-z]{1,9}/[a-z,;=]{0,9}"),
        prop::collection::vec(tag, 0..4),
        prop::collection::btree_map("[a-z][a-z0-9_]{0,5}", custom, 0..4),
        prop::sample::select(vec!["active", "archived"]),
    );
    (texts, others).prop_map(|(texts, others)| {
        let (name, description, notes, manufacturer, mpn, barcode, unit) = texts;
        let (cost, currency, datasheet_url, tags, custom_fields, status) = others;
        json!({
            "name": name, "description": description, "notes": notes, "manufacturer": manufacturer, "mpn": mpn,
            "barcode": barcode, "unit": unit, "unit_cost": cost, "min_quantity": cost, "currency": currency,
            "datasheet_url": datasheet_url, "tags": tags, "custom_fields": custom_fields, "status": status,
        })
    })
}

/// Fills a database with components at their worst, some of them without a sku.
async fn fill(server: &Server) -> usize {
    const COMPONENTS: usize = 250;
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        prop::test_runner::TestRng::deterministic_rng(prop::test_runner::RngAlgorithm::ChaCha),
    );
    let operations: Vec<_> = (0..COMPONENTS)
        .map(|number| {
            let mut component = component().new_tree(&mut runner).unwrap().current();
            let sku = format!("={number},\"{}\"", component["name"].as_str().unwrap());
            component["sku"] = if number % 7 == 0 { Value::Null } else { sku.into() };
            json!({"op": "create", "component": component})
        })
        .collect();
    let (status, body) =
        server.api.post("/api/v1/components/batch", &json!({"operations": operations})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    COMPONENTS
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_imported_again_changes_nothing() {
    for database in TestDatabase::each() {
        let server = Server::start(&database);
        let count = fill(&server).await;
        let through = [("INVENTORY_URL", &*server.base), ("INVENTORY_TOKEN", TOKEN)];
        let unchanged = format!("created 0, updated 0, unchanged {count}\n");
        for export_variables in [&[][..], &through] {
            let csv = run_with(&database, &["export"], export_variables, b"").ok();
            for import_variables in [&[][..], &through] {
                assert_eq!(
                    run_with(&database, &["import", "-"], import_variables, csv.as_bytes()).ok(),
                    unchanged
                );
            }
        }
        // One event for the bootstrap token, one for the first user, one for each component, and none since.
        let report = run(&database, &["check"]).ok();
        assert!(report.contains(&format!("Checked {count} components and {} events", count + 2)), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_fills_another_database_with_the_same_components() {
    let (from, to) = (TestDatabase::sqlite(), TestDatabase::sqlite());
    let server = Server::start(&from);
    fill(&server).await;
    // Only what has a sku can be told from a new component elsewhere.
    let (_, page) = server.api.get("/api/v1/components?sku__isnull=true&limit=200").await;
    for component in page["items"].as_array().unwrap() {
        server.api.delete(component["id"].as_str().unwrap()).await;
    }
    let csv = run(&from, &["export"]).ok();
    run_with(&to, &["import", "-"], &[], csv.as_bytes()).ok();
    let settable = |database| {
        let lines = run(database, &["export", "--format", "jsonl"]).ok();
        let mut components: Vec<_> = lines
            .lines()
            .map(|line| {
                let mut component: Value = serde_json::from_str(line).unwrap();
                for own in ["id", "created_at", "created_by", "updated_at", "updated_by"] {
                    component.as_object_mut().unwrap().remove(own).unwrap();
                }
                component
            })
            .collect();
        components.sort_by_key(|component| component["sku"].to_string());
        components
    };
    let (one, other) = (settable(&from), settable(&to));
    assert!(!one.is_empty());
    assert_eq!(one, other);
}

#[tokio::test(flavor = "multi_thread")]
async fn json_lines_are_what_the_api_answers() {
    for database in TestDatabase::each() {
        let server = Server::start(&database);
        fill(&server).await;
        let through = [("INVENTORY_URL", &*server.base), ("INVENTORY_TOKEN", TOKEN)];
        let lines = run(&database, &["export", "--format", "jsonl"]).ok();
        assert_eq!(run_with(&database, &["export", "--format", "jsonl"], &through, b"").ok(), lines);
        let (_, page) = server.api.get("/api/v1/components?limit=200").await;
        let exported: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(exported[..200], page["items"].as_array().unwrap()[..]);
    }
}

#[test]
fn a_file_is_there_completely_or_not_at_all() {
    let database = TestDatabase::sqlite();
    run_with(&database, &["import", "-"], &[], b"sku,name,tags\nA,a,x;y\n").ok();
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("components.csv");
    let output = path.to_str().unwrap();
    assert_eq!(run(&database, &["export", "--output", output]).ok(), "");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        text.lines().next(),
        Some(
            "id,sku,name,description,notes,manufacturer,mpn,barcode,unit,min_quantity,unit_cost,currency,\
             datasheet_url,tags,custom_fields,status"
        )
    );
    // The tag cannot be written with this separator, and the file is as it was.
    let complaint = run(&database, &["export", "--output", output, "--list-separator", ";"]).failed(1);
    assert!(complaint.contains("the tag \"x;y\" contains the separator \";\""), "{complaint}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    let files = std::fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(files, 1, "a half-written file was left behind");
}
