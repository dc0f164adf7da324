//! A database URL that does not work: why, without its password.

use crate::{
    command::{finish, inventory, run_with},
    database::TestDatabase,
};

const PASSWORD: &str = "hunter2";

#[test]
fn a_bad_database_url_shows_its_password_nowhere() {
    let database = TestDatabase::sqlite();
    let complain = |url, reason| {
        let variables = [("INVENTORY_DATABASE_URL", url), ("INVENTORY_LOG", "trace")];
        let complaint = run_with(&database, &["serve", "--listen", "127.0.0.1:0"], &variables, b"").failed(1);
        assert!(!complaint.contains(PASSWORD), "{url}: {complaint}");
        assert!(complaint.contains(reason), "{url}: {complaint}");
    };
    // Side by side, since a server that refuses connections is given time to start.
    std::thread::scope(|scope| {
        for (url, reason) in [
            ("mysql://user:hunter2@127.0.0.1/none", "sqlite: or postgres://"),
            ("postgre://user:hunter2@127.0.0.1/none", "sqlite: or postgres://"),
            ("user:hunter2@127.0.0.1/none", "sqlite: or postgres://"),
            (" postgres://user:hunter2@127.0.0.1/none", "sqlite: or postgres://"),
            ("hunter2", "sqlite: or postgres://"),
            ("postgres://user:hunter2@127.0.0.1:port/none", "percent-encoded"),
            ("postgres://user:hunter2/@127.0.0.1/none", "percent-encoded"),
            ("postgres://127.0.0.1:1#hunter2@127.0.0.1/none", "Connection refused"),
            ("postgres://127.0.0.1:1?hunter2@127.0.0.1/none", "unknown parameter"),
            ("postgres://user@127.0.0.1:1/none?pasword=hunter2", "unknown parameter"),
            ("postgres://user:hunter2@127.0.0.1:1/none", "Connection refused"),
            ("postgres://user@127.0.0.1:1/none?sslmode=hunter2", "percent-encoded"),
        ] {
            scope.spawn(move || complain(url, reason));
        }
    });
}

#[test]
fn a_command_line_that_is_wrong_shows_no_password() {
    let url = "postgres://user:hunter2@127.0.0.1/none";
    for args in [
        &["check", url][..],
        &[url],
        &["user:hunter2@127.0.0.1/none"],
        &["--databse-url", url],
        &["check", &*format!("--databse-url={url}")],
        &["export", "--url", "http://user:hunter2@[bad"],
        &["check", "--migrate", url],
    ] {
        let mut command = inventory();
        command.args(args);
        let complaint = finish(command, b"").failed(2);
        assert!(!complaint.contains(PASSWORD), "{args:?}: {complaint}");
    }
    let mut command = inventory();
    command.env("INVENTORY_URL", "http://user:hunter2@[bad").arg("export");
    let complaint = finish(command, b"").failed(2);
    assert!(!complaint.contains(PASSWORD) && complaint.contains("INVENTORY_URL"), "{complaint}");
    let mut command = inventory();
    command.env("INVENTORY_DATABASE_URL", url).arg("--help");
    let help = finish(command, b"").ok();
    assert!(!help.contains(PASSWORD), "{help}");
}

#[test]
fn a_connection_that_is_refused_is_called_that() {
    let database = TestDatabase::sqlite();
    let url = "postgres://user:hunter2@127.0.0.1:1/none";
    let complaint = run_with(&database, &["check"], &[("INVENTORY_DATABASE_URL", url)], b"").failed(1);
    assert!(complaint.contains("Connection refused"), "{complaint}");
    assert!(!complaint.contains("timed out") && !complaint.contains(PASSWORD), "{complaint}");
}
