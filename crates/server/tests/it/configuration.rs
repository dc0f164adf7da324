//! Options, variables and what is said when they are wrong.

use std::io::Write as _;

use reqwest::{Method, StatusCode};
use tempfile::NamedTempFile;

use crate::{
    command::{finish, inventory, run, run_with},
    database::TestDatabase,
    server::{Server, TOKEN},
};

fn help(args: &[&str]) -> String {
    let mut command = inventory();
    command.args(args);
    finish(command, b"").ok()
}

#[test]
fn the_help_is_locked() {
    insta::assert_snapshot!("help", help(&["--help"]));
    insta::assert_snapshot!("help_import", help(&["import", "--help"]));
    insta::assert_snapshot!("help_export", help(&["export", "--help"]));
}

#[test]
fn an_unknown_variable_stops_every_command_and_is_named() {
    let database = TestDatabase::sqlite();
    for args in [&["serve"][..], &["check"], &["token", "list"]] {
        let complaint = run_with(&database, args, &[("INVENTORY_LISTN", "127.0.0.1:0")], b"").failed(2);
        assert_eq!(complaint, "error: unknown variable INVENTORY_LISTN; did you mean INVENTORY_LISTEN?\n");
    }
    assert!(!database.file().exists(), "a misconfigured start touched the database");
}

#[test]
fn a_bad_value_is_named_by_where_it_came_from() {
    let database = TestDatabase::sqlite();
    let complaint =
        |args: &[&str], variables: &[(&str, &str)]| run_with(&database, args, variables, b"").failed(2);
    let by_variable = complaint(&[], &[("INVENTORY_LISTEN", "localhost")]);
    assert!(
        by_variable.contains("INVENTORY_LISTEN (--listen): must be an IP address and a port"),
        "{by_variable}"
    );
    let by_flag = complaint(&["serve", "--listen", "localhost"], &[]);
    assert!(by_flag.contains("'--listen <ADDRESS>': must be an IP address"), "{by_flag}");
    for (name, value) in [
        ("INVENTORY_READERS", "0"),
        ("INVENTORY_MIGRATE", "maybe"),
        ("INVENTORY_SHUTDOWN_TIMEOUT_SECONDS", "-1"),
        ("INVENTORY_METRICS_LISTEN", "9100"),
        ("INVENTORY_TRUSTED_PROXIES", "10.0.0.0/8,proxy.example"),
        ("INVENTORY_METRICS_PUBLIC", ""),
        ("INVENTORY_LOG", "inventory=loud"),
    ] {
        let complaint = complaint(&["serve"], &[(name, value)]);
        assert!(complaint.contains(name), "{name}: {complaint}");
    }
    assert!(!database.file().exists(), "a misconfigured start touched the database");
}

#[test]
fn a_bad_secret_is_named_but_not_shown() {
    let database = TestDatabase::sqlite();
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "hunter2").unwrap();
    let path = file.path().to_str().unwrap();
    for (variable, value) in [
        ("INVENTORY_BOOTSTRAP_TOKEN", "hunter2"),
        ("INVENTORY_BOOTSTRAP_TOKEN", "hunter2 is a long secret"),
        ("INVENTORY_BOOTSTRAP_TOKEN_FILE", path),
        ("INVENTORY_METRICS_TOKEN", "hunter2"),
        ("INVENTORY_METRICS_TOKEN_FILE", path),
    ] {
        let complaint = run_with(&database, &["serve"], &[(variable, value)], b"").failed(2);
        assert!(complaint.contains(variable.trim_end_matches("_FILE")), "{complaint}");
        assert!(!complaint.contains("hunter2"), "{complaint}");
    }
    let complaint =
        run_with(&database, &["serve"], &[("INVENTORY_METRICS_TOKEN_FILE", "/no/such/file")], b"").failed(2);
    assert!(
        complaint.contains("INVENTORY_METRICS_TOKEN_FILE") && complaint.contains("/no/such/file"),
        "{complaint}"
    );
}

#[test]
fn options_of_serve_are_refused_elsewhere() {
    let database = TestDatabase::sqlite();
    let complaint = run(&database, &["--listen", "127.0.0.1:0", "check"]).failed(2);
    assert!(complaint.contains("--listen is an option of `serve`"), "{complaint}");
    let complaint = run(&database, &["check", "--listen", "127.0.0.1:0"]).failed(2);
    assert!(complaint.contains("unexpected argument '--listen'"), "{complaint}");
}

#[test]
fn commands_that_look_at_a_database_do_not_make_one() {
    let database = TestDatabase::sqlite();
    for args in [&["check"][..], &["export"], &["token", "list"], &["token", "revoke", "ci"]] {
        let complaint = run(&database, args).failed(1);
        assert!(complaint.contains("there is no database"), "{complaint}");
    }
    assert!(!database.file().exists());
    run(&database, &["migrate"]).ok();
    run(&database, &["check"]).ok();
}

#[test]
fn what_keeps_a_start_from_working_is_one_sentence() {
    let database = TestDatabase::sqlite();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let complaint = run_with(&database, &[], &[("INVENTORY_LISTEN", &address)], b"").failed(1);
    assert!(complaint.starts_with(&format!("error: cannot listen on {address}")), "{complaint}");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    assert!(!database.file().exists(), "a start that cannot serve touched the database");

    let listen = ("INVENTORY_LISTEN", "127.0.0.1:0");
    for url in [
        "mysql://localhost/inventory",
        "postgres://postgres@127.0.0.1:1/none",
        "sqlite:/no/such/directory/a.db",
    ] {
        let complaint = run_with(&database, &[], &[listen, ("INVENTORY_DATABASE_URL", url)], b"").failed(1);
        assert_eq!(complaint.lines().count(), 1, "{complaint}");
        assert!(complaint.contains("database"), "{complaint}");
    }
    let complaint = run_with(&database, &[], &[listen, ("INVENTORY_MIGRATE", "false")], b"").failed(1);
    assert!(complaint.contains("inventory migrate"), "{complaint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_event_streams_can_be_set() {
    let database = TestDatabase::sqlite();
    let variables = [("INVENTORY_BOOTSTRAP_TOKEN", TOKEN), ("INVENTORY_MAX_EVENT_STREAMS", "8")];
    let server = Server::start_with(&database, &variables);
    let mut streams = Vec::new();
    // A token may have a quarter of them.
    for status in [StatusCode::OK, StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE] {
        let stream = server.api.request(Method::GET, "/api/v1/events").send().await.unwrap();
        assert_eq!(stream.status(), status);
        streams.push(stream);
    }
    drop(streams);
    server.stop();
    let complaint = run_with(&database, &["serve"], &[("INVENTORY_MAX_EVENT_STREAMS", "0")], b"").failed(2);
    assert!(
        complaint.contains("INVENTORY_MAX_EVENT_STREAMS") || complaint.contains("max-event-streams"),
        "{complaint}"
    );
}
