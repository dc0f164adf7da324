//! The first minutes of a newcomer.

use std::process::Command;

use serde_json::Value;

use crate::{
    command::{finish, run},
    database::TestDatabase,
    server::Server,
};

/// Runs a line as someone does who pastes it into a shell, and reads the JSON that it prints.
fn paste(line: &str) -> Value {
    let mut shell = Command::new("sh");
    shell.args(["-c", line]);
    let printed = finish(shell, b"").ok();
    if printed.is_empty() { Value::Null } else { serde_json::from_str(&printed).expect(&printed) }
}

#[test]
fn the_printed_lines_work_when_pasted() {
    for database in TestDatabase::each() {
        let server = Server::start_with(&database, &[]);
        let lines: Vec<_> =
            server.greeting.lines().map(str::trim).filter(|line| line.starts_with("curl")).collect();
        let [create, patch, delete] = lines[..] else { panic!("{}", server.greeting) };

        let created = paste(create);
        assert_eq!(created["name"], "74HC00");
        assert_eq!(created["created_by"], "token:first");
        let id = created["id"].as_str().unwrap();
        let patched = paste(&patch.replace("/ID", &format!("/{id}")));
        assert_eq!((&patched["id"], &patched["version"]), (&created["id"], &Value::from(2)));
        assert_eq!(paste(&delete.replace("/ID", &format!("/{id}"))), Value::Null);
        // The line can be pasted again and again.
        paste(create);
        paste(create);
        server.stop();
        run(&database, &["check"]).ok();
    }
}

#[test]
fn only_the_first_start_makes_a_token() {
    for database in TestDatabase::each() {
        let first = Server::start_with(&database, &[]);
        assert!(first.greeting.contains("It is not shown again"));
        first.stop();
        let second = Server::start_with(&database, &[]);
        assert_eq!(second.greeting, format!("Serving on {}\n", second.base));
        second.stop();
        // Also when all tokens are revoked: an operator who did that does not want a new one.
        run(&database, &["token", "revoke", "first"]).ok();
        let third = Server::start_with(&database, &[]);
        assert_eq!(third.greeting, format!("Serving on {}\n", third.base));
    }
}

#[test]
fn two_first_starts_at_once_make_one_token() {
    let Some(database) = TestDatabase::postgres() else { return };
    let servers: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..2).map(|_| scope.spawn(|| Server::start_with(&database, &[]))).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    let told = servers.iter().filter(|server| server.greeting.contains("It is not shown again")).count();
    assert_eq!(told, 1);
    assert_eq!(run(&database, &["token", "list"]).ok().lines().count(), 2);
}
