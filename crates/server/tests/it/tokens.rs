//! API tokens, from their making to their end.

use std::io::Write as _;

use reqwest::StatusCode;
use serde_json::json;
use tempfile::NamedTempFile;

use crate::{
    command::run,
    database::TestDatabase,
    server::{Api, Server},
};

async fn status(server: &Server, token: &str) -> StatusCode {
    let api = Api { token: token.to_owned(), ..server.api.clone() };
    api.get("/api/v1/components").await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_from_its_making_to_its_revocation() {
    for database in TestDatabase::each() {
        let server = Server::start(&database);
        let printed = run(&database, &["token", "create", "ci"]);
        assert!(printed.stderr.contains("not shown again"), "{}", printed.stderr);
        let printed = printed.ok();
        let secret = printed.trim_end();
        assert_eq!(secret.lines().count(), 1);

        // Beside a running server, at once and without a restart.
        assert_eq!(status(&server, secret).await, StatusCode::OK);
        let api = Api { token: secret.to_owned(), ..server.api.clone() };
        assert_eq!(api.create(&json!({"name": "a"})).await["created_by"], "token:ci");
        let listed = run(&database, &["token", "list"]).ok();
        let names: Vec<_> = listed.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
        assert_eq!(names, ["NAME", "bootstrap", "ci"]);
        assert!(!listed.contains(secret));
        let complaint = run(&database, &["token", "create", "ci"]).failed(1);
        assert!(complaint.contains("there is a token named \"ci\" already"), "{complaint}");

        run(&database, &["token", "revoke", "ci"]).ok();
        // At once, although another process made the revocation.
        assert_eq!(status(&server, secret).await, StatusCode::UNAUTHORIZED);
        let complaint = run(&database, &["token", "revoke", "ci"]).failed(1);
        assert!(complaint.contains("there is no token named \"ci\""), "{complaint}");
        // The name is free again.
        run(&database, &["token", "create", "ci"]).ok();
        server.stop();
        run(&database, &["check"]).ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bootstrap_token_is_what_the_last_start_says() {
    let database = TestDatabase::sqlite();
    let (old, new) = ("the-first-bootstrap-token", "the-second-bootstrap-token");
    let password = ("INVENTORY_ADMIN_PASSWORD", "a-password-of-the-tests");
    let server = Server::start_with(&database, &[("INVENTORY_BOOTSTRAP_TOKEN", old), password]);
    // What the operator gave is not printed.
    assert_eq!(server.greeting, format!("Serving on {}\n", server.base));
    assert_eq!(status(&server, old).await, StatusCode::OK);
    server.stop();

    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "{new}").unwrap();
    let path = file.path().to_str().unwrap();
    let server = Server::start_with(&database, &[("INVENTORY_BOOTSTRAP_TOKEN_FILE", path)]);
    assert_eq!(status(&server, new).await, StatusCode::OK);
    assert_eq!(status(&server, old).await, StatusCode::UNAUTHORIZED);
    server.stop();

    // The same again is no change, so it is no event.
    let server = Server::start_with(&database, &[("INVENTORY_BOOTSTRAP_TOKEN", new)]);
    assert_eq!(status(&server, new).await, StatusCode::OK);
    server.stop();
    let report = run(&database, &["check"]).ok();
    assert!(report.contains("and 4 events"), "{report}");
}

#[test]
fn a_name_that_cannot_be_one_is_refused() {
    let database = TestDatabase::sqlite();
    for name in ["", " ci", "a\nb", &"x".repeat(65)] {
        let complaint = run(&database, &["token", "create", name]).failed(2);
        assert!(complaint.contains("must be 1 to 64 bytes"), "{complaint}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_what_its_scopes_say_and_ends_by_itself() {
    let database = TestDatabase::sqlite();
    let server = Server::start(&database);
    let secret =
        run(&database, &["token", "create", "reader", "--scope", "read", "--expires-in-days", "7"]).ok();
    let api = Api { token: secret.trim_end().to_owned(), ..server.api.clone() };
    assert_eq!(api.get("/api/v1/components").await.0, StatusCode::OK);
    let (status, problem) = api.post("/api/v1/components", &json!({"name": "a"})).await;
    assert_eq!(
        (status, problem["type"].as_str()),
        (StatusCode::FORBIDDEN, Some("/problems/insufficient-scope"))
    );
    assert_eq!(problem["detail"], "this needs the scope \"write\"; the token \"reader\" has \"read\"");
    let listed = run(&database, &["token", "list"]).ok();
    let line = listed.lines().find(|line| line.starts_with("reader")).unwrap();
    assert!(line.contains(&format!(" {}… ", &secret[..8])), "{listed}");
    let complaint = run(&database, &["token", "create", "x", "--scope", "everything"]).failed(2);
    assert!(complaint.contains("[possible values: read, write, metrics, admin]"), "{complaint}");
    let complaint = run(&database, &["token", "create", "x", "--user", "nobody"]).failed(1);
    assert!(complaint.contains("there is no user named \"nobody\""), "{complaint}");
}
