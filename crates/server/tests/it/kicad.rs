//! 15,333 real components, imported beside a running server and through one.

use std::{path::PathBuf, time::Instant};

use crate::{
    command::{Run, run, run_with},
    database::TestDatabase,
    server::{PATIENCE, Server, TOKEN, metric},
};

const ROWS: u64 = 15_333;

/// The file, which is not part of the repository; `None`, and a line that says so, where it is not beside it.
fn file() -> Option<String> {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "..", "..", "..", "shared", "data", "kicad-components.csv"]
            .iter()
            .collect();
    if path.exists() {
        return Some(path.to_str().unwrap().to_owned());
    }
    eprintln!("SKIPPED: the file of real components is not there: {}", path.display());
    None
}

fn import(database: &TestDatabase, file: &str, variables: &[(&str, &str)]) -> Run {
    let args = [
        "import",
        file,
        "--map",
        "sku={library}/{part_number}",
        "--map",
        "name={part_number}",
        "--map",
        "custom_fields.keywords={keywords}",
        "--map",
        "custom_fields.footprint={footprint}",
        "--map",
        "custom_fields.datasheet={datasheet}",
        "--map",
        "custom_fields.reference={reference}",
    ];
    run_with(database, &args, variables, b"")
}

/// Asserts what a server shows when the file is in its database: `own` of its components are its own commits.
async fn assert_imported(server: &Server, own: u64) {
    // A scrape waits a moment only for so many events to be counted; until they are, it shows no number of rows
    // rather than one that does not go with the counters.
    let deadline = Instant::now() + PATIENCE;
    let scrape = loop {
        let scrape = server.api.scrape().await;
        if !metric(&scrape, "inventory_components_total").is_nan() {
            break scrape;
        }
        assert!(Instant::now() < deadline, "the events are never counted");
    };
    let shown = |name| metric(&scrape, name);
    #[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
    let (rows, own) = (ROWS as f64, own as f64);
    assert_eq!(shown("inventory_components_total").to_bits(), rows.to_bits());
    assert_eq!(shown("inventory_components").to_bits(), rows.to_bits());
    assert_eq!(shown("inventory_components_created_total").to_bits(), own.to_bits());
    assert_eq!(shown("inventory_components_deleted_total").to_bits(), 0_f64.to_bits());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_into_the_database_beside_a_running_server() {
    let Some(file) = file() else { return };
    for database in TestDatabase::each() {
        let server = Server::start(&database);
        let begin = Instant::now();
        assert_eq!(import(&database, &file, &[]).ok(), format!("created {ROWS}, updated 0, unchanged 0\n"));
        println!("the import took {:?}", begin.elapsed());
        assert_imported(&server, 0).await;
        in_order(&server).await;
        again(&database, &file, &[]);
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_through_a_server() {
    let Some(file) = file() else { return };
    for database in TestDatabase::each() {
        let server = Server::start(&database);
        let through = [("INVENTORY_URL", &*server.base), ("INVENTORY_TOKEN", TOKEN)];
        assert_eq!(
            import(&database, &file, &through).ok(),
            format!("created {ROWS}, updated 0, unchanged 0\n")
        );
        assert_imported(&server, ROWS).await;
        in_order(&server).await;
        again(&database, &file, &through);
        assert_imported(&server, ROWS).await;
        server.stop();
    }
}

/// The stream delivers every creation once, in the order of the log, which is that of the file.
async fn in_order(server: &Server) {
    let events = server.api.events("types=component.created", usize::try_from(ROWS).unwrap()).await;
    // Event 1 is the bootstrap token.
    for (seq, event) in (2..).zip(&events) {
        assert_eq!(event["sequence"], format!("{seq:020}"));
        assert_eq!(event["type"], "io.inventory.component.created");
    }
    let sku = |event: &serde_json::Value| event["data"]["component"]["sku"].as_str().unwrap().to_owned();
    assert_eq!(sku(&events[0]), "4xxx/14529");
    let mut skus: Vec<_> = events.iter().map(sku).collect();
    skus.sort();
    skus.dedup();
    assert_eq!(skus.len() as u64, ROWS);
}

/// Importing the same again changes nothing and publishes nothing.
fn again(database: &TestDatabase, file: &str, variables: &[(&str, &str)]) {
    let outcome = import(database, file, variables).ok();
    assert_eq!(outcome, format!("created 0, updated 0, unchanged {ROWS}\n"));
    let report = run(database, &["check"]).ok();
    let looked =
        format!("Looked at {ROWS} components and {} events, of which the last is {}.", ROWS + 1, ROWS + 1);
    assert!(report.contains(&looked), "{report}");
}
