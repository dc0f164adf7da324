//! What lines of the log say: which request they are about, how long something took, and when a state began and ended.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    database::TestDatabase,
    server::{PATIENCE, Server, TOKEN},
};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// The lines of the log so far.
fn lines(server: &Server) -> Vec<Value> {
    // The last one may be half written.
    server.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The lines that this is true of, once there is one.
async fn until_logged(server: &Server, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found: Vec<_> = lines(server).into_iter().filter(&wanted).collect();
        if !found.is_empty() {
            return found;
        }
        assert!(Instant::now() < deadline, "{}", server.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_a_request_has_its_ids() {
    let database = TestDatabase::sqlite();
    let variables = [("INVENTORY_BOOTSTRAP_TOKEN", TOKEN), ("INVENTORY_LOG", "info,inventory_http=debug")];
    let server = Server::start_with(&database, &variables);
    for number in 0..3 {
        server.api.create(&json!({"name": number.to_string()})).await;
    }
    // A hole in the log, at which a stream ends while its answer is on its way.
    database.shell("DELETE FROM event_log WHERE type = 'component.created' AND seq = (SELECT max(seq) - 1 FROM event_log)");
    let mut ids = Vec::new();
    let expected =
        [("/api/v1/components", "request answered"), ("/api/v1/events?after=0", "event stream failed")];
    for (path, message) in expected {
        let request = server.api.request(Method::GET, path);
        let request = request.header("traceparent", format!("00-{TRACE}-b7ad6b7169203331-01"));
        let answer = request.send().await.unwrap();
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        // A stream breaks off.
        drop(answer.bytes().await);
        let about =
            |line: &Value| line["request_id"] == *id && line["message"].as_str().unwrap().contains(message);
        let lines = until_logged(&server, about).await;
        assert!(lines.iter().all(|line| line["trace_id"] == TRACE), "{lines:?}");
        ids.push(id);
    }
    assert_ne!(ids[0], ids[1]);
    let answered = until_logged(&server, |line| line["request_id"] == *ids[0]).await;
    assert!(answered[0]["duration_ms"].is_number(), "{answered:?}");
    // What has no trace has no trace id, and what is about no request has no request id.
    assert!(lines(&server).iter().any(|line| line["request_id"].is_string() && line["trace_id"].is_null()));
    assert!(lines(&server).iter().any(|line| line["message"] == "serving" && line["request_id"].is_null()));
}

#[tokio::test(flavor = "multi_thread")]
async fn that_the_service_is_not_ready_is_logged_when_it_begins_and_when_it_ends() {
    let database = TestDatabase::sqlite();
    let server = Server::start(&database);
    let readyz = format!("{}/readyz", server.base);
    let ready = async || server.api.client.get(&readyz).send().await.unwrap().status() == StatusCode::OK;
    assert!(ready().await);
    database.shell("ALTER TABLE event_head RENAME TO event_head_elsewhere");
    for _ in 0..3 {
        assert!(!ready().await);
    }
    database.shell("ALTER TABLE event_head_elsewhere RENAME TO event_head");
    let deadline = Instant::now() + PATIENCE;
    while !ready().await {
        assert!(Instant::now() < deadline, "{}", server.log());
    }
    let ends = until_logged(&server, |line| line["message"] == "ready again").await;
    assert!(ends.len() == 1 && ends[0]["duration_ms"].is_number(), "{ends:?}");
    let begins = until_logged(&server, |line| line["message"] == "not ready").await;
    assert_eq!(begins.len(), 1, "{begins:?}");
    assert!(begins[0]["reason"].is_string(), "{begins:?}");
}
