//! 15,333 real components, imported beside a running server and through one.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use tempfile::NamedTempFile;

use crate::{
    command::{Run, run, run_with},
    database::TestDatabase,
    server::{PATIENCE, Server, TOKEN, metric},
};

const ROWS: u64 = 15_333;

/// A file of components and, in its order, the skus that they are to have.
struct Parts {
    path: PathBuf,
    skus: Vec<String>,
    _made: Option<NamedTempFile>,
}

impl Parts {
    /// The real components, which are not part of the repository; where they are not beside it, as many that are
    /// made up.
    fn find() -> Self {
        let real = ["..", "..", "..", "shared", "data", "kicad-components.csv"];
        let real = Path::new(env!("CARGO_MANIFEST_DIR")).join(real.iter().collect::<PathBuf>());
        if real.exists() {
            return Self::read(real, None);
        }
        eprintln!("note: {} is not there, so the components are made up", real.display());
        let made = NamedTempFile::new().unwrap();
        std::fs::write(made.path(), made_up()).unwrap();
        Self::read(made.path().to_owned(), Some(made))
    }

    fn read(path: PathBuf, made: Option<NamedTempFile>) -> Self {
        let mut reader = csv::Reader::from_path(&path).unwrap();
        let skus: Vec<_> =
            reader.records().map(Result::unwrap).map(|row| format!("{}/{}", &row[1], &row[0])).collect();
        assert_eq!(skus.len() as u64, ROWS);
        Self { path, skus, _made: made }
    }
}

/// Rows with what makes the real ones awkward: part numbers that several libraries have, text outside ASCII,
/// commas and quotes, empty cells.
fn made_up() -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record([
            "part_number",
            "library",
            "description",
            "keywords",
            "footprint",
            "datasheet",
            "reference",
        ])
        .unwrap();
    for number in 0..ROWS {
        let (part, library) = (format!("P{}", number / 2), format!("Library_{}", number % 160));
        let description =
            ["", "Resistor, 10 k\u{3a9} \u{b1}1 %", "LED 5 \u{b5}A \"warm\", 60\u{b0}", "plain"];
        let description = description[usize::try_from(number % 4).unwrap()];
        let datasheet = if number % 7 == 0 { "" } else { "https://example.org/a,b.pdf" };
        writer.write_record([&*part, &library, description, "R res", "", datasheet, "R"]).unwrap();
    }
    writer.into_inner().unwrap()
}

fn import(database: &TestDatabase, parts: &Parts, variables: &[(&str, &str)]) -> Run {
    let args = [
        "import",
        parts.path.to_str().unwrap(),
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

/// Asserts what a scrape shows when the file is in the database: `own` of its components are commits of the
/// process that answered.
fn assert_imported(scrape: &str, own: u64) {
    let shown = |name| metric(scrape, name);
    #[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
    let (rows, own) = (ROWS as f64, own as f64);
    assert_eq!(shown("inventory_components_total").to_bits(), rows.to_bits());
    assert_eq!(shown("inventory_components").to_bits(), rows.to_bits());
    assert_eq!(shown("inventory_components_created_total").to_bits(), own.to_bits());
    assert_eq!(shown("inventory_components_deleted_total").to_bits(), 0_f64.to_bits());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_into_the_database_beside_a_running_server() {
    let parts = Parts::find();
    for database in TestDatabase::each() {
        let server = Server::start(&database);
        assert_eq!(import(&database, &parts, &[]).ok(), format!("created {ROWS}, updated 0, unchanged 0\n"));
        // The very next scrape: it has nothing to wait for, since nothing of this is the server's own.
        assert_imported(&server.api.scrape().await, 0);
        in_order(&server, &parts).await;
        again(&database, &parts, &[]);
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_through_a_server() {
    let parts = Parts::find();
    for database in TestDatabase::each() {
        let server = Server::start(&database);
        let through = [("INVENTORY_URL", &*server.base), ("INVENTORY_TOKEN", TOKEN)];
        assert_eq!(
            import(&database, &parts, &through).ok(),
            format!("created {ROWS}, updated 0, unchanged 0\n")
        );
        assert_imported(&counted(&server).await, ROWS);
        in_order(&server, &parts).await;
        again(&database, &parts, &through);
        assert_imported(&server.api.scrape().await, ROWS);
        server.stop();
    }
}

/// The first scrape that shows a number of rows. A scrape waits 250 ms for this process's own events to be
/// counted, in which a build without optimisation does not get through fifteen thousand; until it has, it shows
/// none rather than one that does not go with the counters.
async fn counted(server: &Server) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let scrape = server.api.scrape().await;
        if !metric(&scrape, "inventory_components_total").is_nan() {
            return scrape;
        }
        assert!(Instant::now() < deadline, "the events are never counted");
    }
}

/// The stream delivers every creation once, in the order of the log, which is that of the file.
async fn in_order(server: &Server, parts: &Parts) {
    let events = server.api.events("types=component.created", usize::try_from(ROWS).unwrap()).await;
    // Events 1 and 2 are the bootstrap token and the first user.
    for (seq, event) in (3..).zip(&events) {
        assert_eq!(event["sequence"], format!("{seq:020}"));
        assert_eq!(event["type"], "io.inventory.component.created");
    }
    let skus: Vec<_> =
        events.iter().map(|event| event["data"]["component"]["sku"].as_str().unwrap()).collect();
    assert!(skus == parts.skus, "the stream is not in the order of the file");
}

/// Importing the same again changes nothing and publishes nothing.
fn again(database: &TestDatabase, parts: &Parts, variables: &[(&str, &str)]) {
    let outcome = import(database, parts, variables).ok();
    assert_eq!(outcome, format!("created 0, updated 0, unchanged {ROWS}\n"));
    let report = run(database, &["check"]).ok();
    // With those of the bootstrap token and the first user.
    let events = ROWS + 2;
    let looked = format!("Looked at {ROWS} components and {events} events, of which the last is {events}.");
    assert!(report.contains(&looked), "{report}");
}
