//! Users, as an operator manages them at the command line.

use std::time::{Duration, Instant};

use reqwest::StatusCode;

use crate::{
    command::{run, run_with},
    database::TestDatabase,
    server::{Api, PATIENCE, Server, client_that_follows_nothing},
};

const PASSWORD: &str = "correct horse battery";

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_added_changed_and_removed_at_the_command_line() {
    for database in TestDatabase::each() {
        let server = Server::start(&database);
        let password = b"a password of the tests\n";
        run_with(&database, &["user", "add", "anna", "--role", "editor"], &[], password).ok();
        let complaint =
            run_with(&database, &["user", "add", "anna", "--role", "viewer"], &[], password).failed(1);
        assert!(complaint.contains("there is a user named \"anna\" already"), "{complaint}");
        let complaint =
            run_with(&database, &["user", "add", "bert", "--role", "viewer"], &[], b"short\n").failed(1);
        assert!(complaint.contains("must be at least 12 characters long, and this has 5"), "{complaint}");
        let complaint = run(&database, &["user", "add", "Bert", "--role", "viewer"]).failed(2);
        assert!(complaint.contains("must be lower-case letters"), "{complaint}");
        let made_up = run(&database, &["user", "passwd", "anna", "--generate"]).ok();
        assert_eq!(made_up.trim_end().len(), 24);

        let secret = run(&database, &["token", "create", "annas", "--user", "anna", "--scope", "admin"]).ok();
        let api = Api { token: secret.trim_end().to_owned(), ..server.api.clone() };
        let create = async || api.post("/api/v1/components", &serde_json::json!({"name": "a"})).await.0;
        assert_eq!(create().await, StatusCode::CREATED);
        // Each is in force in the running server once the command has ended.
        run(&database, &["user", "role", "anna", "viewer"]).ok();
        assert_eq!(create().await, StatusCode::FORBIDDEN);
        run(&database, &["user", "disable", "anna"]).ok();
        assert_eq!(create().await, StatusCode::UNAUTHORIZED);
        let listed = run(&database, &["user", "list"]).ok();
        let states: Vec<_> =
            listed.lines().map(|line| line.split_whitespace().take(3).collect::<Vec<_>>()).collect();
        assert_eq!(
            states,
            [["NAME", "ROLE", "STATE"], ["admin", "admin", "active"], ["anna", "viewer", "disabled"]]
        );
        run(&database, &["user", "enable", "anna"]).ok();
        run(&database, &["user", "remove", "anna"]).ok();
        assert_eq!(create().await, StatusCode::UNAUTHORIZED);
        let complaint = run(&database, &["user", "remove", "anna"]).failed(1);
        assert!(complaint.contains("there is no user named \"anna\""), "{complaint}");
        let complaint = run(&database, &["user", "disable", "admin"]).failed(1);
        assert!(complaint.contains("this is the last administrator who is not disabled"), "{complaint}");
        server.stop();
        run(&database, &["check"]).ok();
    }
}

#[test]
fn only_the_first_start_adds_the_user_admin() {
    for database in TestDatabase::each() {
        let first = Server::start_with(&database, &[]);
        assert!(first.greeting.contains("The password is not shown again"), "{}", first.greeting);
        first.stop();
        let given = [("INVENTORY_ADMIN_PASSWORD", "a-password-of-the-tests")];
        let second = Server::start_with(&database, &given);
        assert_eq!(second.greeting, format!("Serving on {}\n", second.base));
        let listed = run(&database, &["user", "list"]).ok();
        assert_eq!(listed.lines().count(), 2, "{listed}");
    }
}

#[test]
fn a_password_that_cannot_be_one_stops_the_start() {
    let database = TestDatabase::sqlite();
    let complaint = run_with(&database, &["serve"], &[("INVENTORY_ADMIN_PASSWORD", "short")], b"").failed(2);
    assert!(
        complaint.contains("INVENTORY_ADMIN_PASSWORD must be at least 12 characters long"),
        "{complaint}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_sign_ins_are_counted_one_by_one_and_few_become_events() {
    for database in TestDatabase::each() {
        let server = Server::start_with(&database, &[("INVENTORY_ADMIN_PASSWORD", PASSWORD)]);
        let client = client_that_follows_nothing();
        let mut refused = 0;
        for number in 0..30 {
            let form = format!("name=nobody{number}&password=a+guess");
            let request = client.post(format!("{}/admin/sign-in", server.base)).body(form);
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            match request.send().await.unwrap().status() {
                StatusCode::UNPROCESSABLE_ENTITY => refused += 1,
                status => assert_eq!(status, StatusCode::TOO_MANY_REQUESTS),
            }
        }
        assert!(refused >= 20, "{refused}");
        let scrape =
            client.get(format!("{}/metrics/", server.base)).send().await.unwrap().text().await.unwrap();
        assert!(scrape.contains(&format!("\ninventory_sign_ins_refused_total {refused}\n")), "{scrape}");
        let logged = || server.log().matches("sign-in refused").count();
        let deadline = Instant::now() + PATIENCE;
        while logged() < refused && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(logged(), refused);
        let count = "SELECT count(*) FROM event_log WHERE type = 'sign_in.refused'";
        assert_eq!(database.shell(count).trim(), "10");
        // What was not told one by one is told at the end.
        server.stop();
        assert_eq!(database.shell(count).trim(), "11");
        let last = database.shell("SELECT data FROM event_log ORDER BY seq DESC LIMIT 1");
        let last: serde_json::Value = serde_json::from_str(last.trim()).unwrap();
        assert_eq!(last["count"], refused - 10);
        run(&database, &["check"]).ok();
    }
}
