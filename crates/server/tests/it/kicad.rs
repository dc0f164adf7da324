//! 15,333 components, imported beside a running server and through one: those that `cargo xtask parts` makes up and,
//! where they are beside the repository, as many real ones.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Instant,
};

use tempfile::NamedTempFile;

use crate::{
    command::{Run, run, run_with},
    database::TestDatabase,
    server::{PATIENCE, Server, TOKEN, metric},
};

#[path = "../../../../xtask/src/parts.rs"]
mod parts;

const ROWS: u64 = 15_333;

/// A file of components and, in its order, the skus that they are to have.
struct Parts {
    path: PathBuf,
    skus: Vec<String>,
    _made: Option<NamedTempFile>,
}

impl Parts {
    fn made_up() -> Self {
        let made = NamedTempFile::new().unwrap();
        std::fs::write(made.path(), parts::csv()).unwrap();
        Self::read(made.path().to_owned(), Some(made))
    }

    /// The made-up ones and, where they are, the real ones, which may not be passed on with this repository.
    fn all() -> impl Iterator<Item = Self> {
        let real = ["..", "..", "..", "shared", "data", "kicad-components.csv"];
        let real = Path::new(env!("CARGO_MANIFEST_DIR")).join(real.iter().collect::<PathBuf>());
        [Some(Self::made_up()), real.exists().then(|| Self::read(real, None))].into_iter().flatten()
    }

    fn read(path: PathBuf, made: Option<NamedTempFile>) -> Self {
        let mut reader = csv::Reader::from_path(&path).unwrap();
        let skus: Vec<_> =
            reader.records().map(Result::unwrap).map(|row| format!("{}/{}", &row[1], &row[0])).collect();
        assert_eq!(skus.len() as u64, ROWS);
        Self { path, skus, _made: made }
    }
}

#[test]
fn the_made_up_parts_are_as_awkward_as_the_real_ones() {
    for Parts { path, skus, .. } in Parts::all() {
        let rows: Vec<_> =
            csv::Reader::from_path(&path).unwrap().into_records().map(Result::unwrap).collect();
        let distinct = |column: usize| {
            let mut counts: HashMap<&str, usize> = HashMap::new();
            for row in &rows {
                *counts.entry(&row[column]).or_default() += 1;
            }
            counts
        };
        let rows_with =
            |test: &dyn Fn(&csv::StringRecord) -> bool| rows.iter().filter(|row| test(row)).count();
        assert_eq!(skus.iter().collect::<std::collections::HashSet<_>>().len(), rows.len());
        assert_eq!(
            distinct(0).values().filter(|count| **count == 2).count(),
            100,
            "part numbers of two libraries"
        );
        assert_eq!(distinct(0).len(), rows.len() - 100);
        assert_eq!(distinct(1).len(), 160, "libraries");
        assert_eq!(rows_with(&|row| row.iter().any(|cell| !cell.is_ascii())), 898);
        assert_eq!(rows.iter().map(|row| row[2].chars().count()).max(), Some(281), "the longest description");
        assert!(rows_with(&|row| row[2].contains(',')) > 7_000);
        assert!(distinct(2).len() > 10_000, "{} descriptions", distinct(2).len());
        assert!(rows_with(&|row| row.iter().any(|cell| cell.contains('"'))) > 1);
        for column in 2..6 {
            assert!(rows_with(&|row| row[column].is_empty()) > 100, "empty cells in column {column}");
        }
    }
    assert_eq!(parts::csv(), parts::csv());
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
    for parts in Parts::all() {
        for database in TestDatabase::each() {
            let server = Server::start(&database);
            let imported = import(&database, &parts, &[]).ok();
            assert_eq!(imported, format!("created {ROWS}, updated 0, unchanged 0\n"));
            // The very next scrape: it has nothing to wait for, since nothing of this is the server's own.
            assert_imported(&server.api.scrape().await, 0);
            in_order(&server, &parts).await;
            again(&database, &parts, &[]);
            server.stop();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_through_a_server() {
    let parts = Parts::made_up();
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
    let looked = format!("Checked {ROWS} components and {events} events, up to event {events}.");
    assert!(report.contains(&looked), "{report}");
}
