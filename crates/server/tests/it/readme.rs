//! What the README tells people to paste works, and what it says of the variables is complete.

use std::{collections::BTreeSet, path::Path, process::Command};

use regex::Regex;
use tempfile::TempDir;

use crate::{
    command::{finish, inventory},
    database::TestDatabase,
    server::{Server, TOKEN},
};

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    std::fs::read_to_string(path).unwrap()
}

/// The lines to paste, but for those that build the service and run these tests.
fn script(readme: &str) -> String {
    let blocks = Regex::new("(?s)```sh\n(.*?)```").unwrap();
    let blocks = blocks.captures_iter(readme).map(|block| block[1].to_owned());
    blocks.filter(|block| !matches!(block.as_str(), "cargo run --release\n" | "cargo xtask test\n")).collect()
}

#[test]
fn the_lines_to_paste_work() {
    let database = TestDatabase::sqlite();
    let server = Server::start(&database);
    let script = script(&readme())
        .replace("inv_…", TOKEN)
        .replace("http://127.0.0.1:8000", &server.base)
        // Which would be followed for ever.
        .replace("events?after=0", "events?after=0&follow=false")
        .replace("cargo run --release --", env!("CARGO_BIN_EXE_inventory"));
    let directory = TempDir::new().unwrap();
    let parts = "part_number,library,footprint\n4001,4xxx,DIP-14\n";
    std::fs::write(directory.path().join("parts.csv"), parts).unwrap();

    let mut shell = Command::new("sh");
    let checked = format!("set -e\ncurl() {{ command curl --fail-with-body \"$@\"; }}\n{script}");
    shell.args(["-c", &checked]).current_dir(directory.path());
    shell.env("INVENTORY_DATABASE_URL", database.url());
    let printed = finish(shell, b"").ok();
    for expected in [
        "\"custom_fields\":{\"pins\":14}",
        "event: component.deleted",
        "inventory_components_created_total 3",
        "would create 1, update 0, leave 0 unchanged; bad rows: 0",
    ] {
        assert!(printed.contains(expected), "{expected}\n{printed}");
    }
    let exported = std::fs::read_to_string(directory.path().join("components.csv")).unwrap();
    assert_eq!(exported.lines().count(), 3, "{exported}");
}

#[test]
fn every_variable_is_told_of() {
    let variables = Regex::new("INVENTORY_[A-Z_]+").unwrap();
    let named = |text: &str| -> BTreeSet<String> {
        variables.find_iter(text).map(|name| name.as_str().trim_end_matches('_').to_owned()).collect()
    };
    let mut known = BTreeSet::new();
    for command in [&["--help"][..], &["import", "--help"]] {
        let mut help = inventory();
        help.args(command);
        known.extend(named(&finish(help, b"").ok()));
    }
    let readme = readme();
    let mut told = named(&readme);
    // `INVENTORY_*` stands for all of them.
    told.remove("INVENTORY");
    assert_eq!(told, known);
}
