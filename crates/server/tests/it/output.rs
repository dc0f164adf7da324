//! What is printed and logged, to people and to programs.

use std::process::Command;

use serde_json::Value;

use crate::{
    command::{Run, finish, inventory, run_with},
    database::TestDatabase,
    server::Server,
};

const FILE: &str = "sku,name\nA,a\nB,b\n";

/// Runs the binary in a new terminal, with its output and its log combined.
fn in_a_terminal(database: &TestDatabase, args: &str) -> Run {
    let mut script = Command::new("script");
    let command = format!("{} {args}", inventory().get_program().to_str().unwrap());
    script.args(["--quiet", "--return", "--flush", "--command", &command, "/dev/null"]);
    script.env("INVENTORY_DATABASE_URL", database.url()).env("TERM", "xterm");
    finish(script, b"")
}

#[test]
fn the_log_is_json_where_it_is_not_a_terminal() {
    let database = TestDatabase::sqlite();
    let mut server = Server::start(&database);
    server.signal("TERM");
    assert!(server.wait().success());
    let log = server.log();
    let messages: Vec<_> = log
        .lines()
        .map(|line| {
            let entry: Value = serde_json::from_str(line).expect(line);
            assert!(entry["timestamp"].is_string() && entry["level"].is_string(), "{line}");
            entry["message"].as_str().unwrap().to_owned()
        })
        .collect();
    assert!(messages.ends_with(&["stopping".to_owned(), "stopped".to_owned()]), "{messages:?}");
}

#[test]
fn the_log_is_for_people_where_it_is_a_terminal() {
    let database = TestDatabase::sqlite();
    let log = in_a_terminal(&database, "migrate --log info").ok();
    assert!(log.contains("INFO") && !log.contains("{\""), "{log}");
}

#[test]
fn progress_is_shown_on_a_terminal_only() {
    let database = TestDatabase::sqlite();
    let piped = run_with(&database, &["import", "-"], &[], FILE.as_bytes());
    assert_eq!((&*piped.stdout, &*piped.stderr), ("created 2, updated 0, unchanged 0\n", ""));

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "sku,name\nC,c\n").unwrap();
    let shown = in_a_terminal(&database, &format!("import {}", file.path().display())).ok();
    assert!(shown.contains("looking up") && shown.contains("writing 1 changes"), "{shown:?}");
    assert!(shown.ends_with("created 1, updated 0, unchanged 0\r\n"), "{shown:?}");
}

#[test]
fn a_reader_that_has_read_enough_is_no_failure() {
    let database = TestDatabase::sqlite();
    let rows: Vec<_> = (0..5000).map(|number| format!("{number},{}", "a".repeat(100))).collect();
    run_with(&database, &["import", "-"], &[], format!("sku,name\n{}", rows.join("\n")).as_bytes()).ok();
    let mut shell = Command::new("bash");
    let binary = inventory().get_program().to_str().unwrap().to_owned();
    shell.args(["-c", &format!("set -o pipefail; {binary} export | head -1")]);
    shell.env("INVENTORY_DATABASE_URL", database.url());
    let run = finish(shell, b"");
    assert_eq!(run.stderr, "");
    assert_eq!(run.ok().lines().count(), 1);
}
