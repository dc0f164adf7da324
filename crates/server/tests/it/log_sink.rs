//! A log that cannot be written stops nothing.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, pipe},
    time::Instant,
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    database::TestDatabase,
    server::{PATIENCE, Server, TOKEN},
};

/// A server that logs each request.
const VERBOSE: [(&str, &str); 2] =
    [("INVENTORY_BOOTSTRAP_TOKEN", TOKEN), ("INVENTORY_LOG", "info,inventory_http=debug")];

/// Breaks every connection to the database, which each task logs.
fn disconnect(database: &TestDatabase) {
    if let TestDatabase::Postgres { .. } = database {
        database.shell(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
    }
}

/// Creates a component, whatever the database has been through a moment before.
async fn until_created(server: &Server) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, body) = server.api.post("/api/v1/components", &json!({"name": "a"})).await;
        if status == StatusCode::CREATED {
            return;
        }
        assert!(status == StatusCode::SERVICE_UNAVAILABLE && Instant::now() < deadline, "{status} {body}");
    }
}

/// Waits for a line of the metrics.
async fn until_counted(server: &Server, line: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = server.api.client.get(format!("{}/metrics/", server.base)).send().await.unwrap();
        let scrape = answer.text().await.unwrap();
        if scrape.lines().any(|found| found == line) {
            return;
        }
        assert!(Instant::now() < deadline, "{scrape}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_any_more_stops_nothing() {
    for database in TestDatabase::each() {
        let (reader, writer) = pipe().unwrap();
        let server = Server::spawn_with_stderr(Server::command(&database, &VERBOSE), writer);
        drop(reader);
        until_created(&server).await;
        disconnect(&database);
        until_created(&server).await;
        until_counted(&server, "inventory_components_created_total 2").await;
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_log_stops_nothing() {
    let database = TestDatabase::sqlite();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let server = Server::spawn_with_stderr(Server::command(&database, &VERBOSE), full);
    until_created(&server).await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_read_too_slowly_delays_nothing_and_tells_how_much_it_lacks() {
    const REQUESTS: u64 = 8_000;
    let database = TestDatabase::sqlite();
    let (reader, writer) = pipe().unwrap();
    let server = Server::spawn_with_stderr(Server::command(&database, &VERBOSE), writer);
    // Far more than the pipe and the queue before it hold.
    for _ in 0..REQUESTS {
        let request = server.api.request(Method::GET, "/livez");
        assert_eq!(
            server.api.client.execute(request.build().unwrap()).await.unwrap().status(),
            StatusCode::OK
        );
    }
    until_created(&server).await;
    let reading = std::thread::spawn(move || {
        let lines = BufReader::new(reader).lines().map(|line| {
            let line = line.unwrap();
            serde_json::from_str::<Value>(&line).expect(&line)
        });
        let (mut answered, mut lost) = (0, 0);
        for line in lines {
            answered += u64::from(line["message"] == "request answered");
            lost += line["lost_lines"].as_u64().unwrap_or(0);
        }
        (answered, lost)
    });
    server.stop();
    let (answered, lost) = reading.join().unwrap();
    assert!(lost > 0 && answered > 0, "{answered} requests were logged, and {lost} lines lost");
    assert!(answered + lost >= REQUESTS, "{answered} requests were logged, and {lost} lines lost");
}
