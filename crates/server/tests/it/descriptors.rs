//! More connections than the process may have file descriptors: the oldest idle ones make room.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Command,
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    database::TestDatabase,
    server::{PATIENCE, Server, TOKEN, client},
};

/// The hard limit on descriptors. The soft limit is half of it at first.
const DESCRIPTORS: usize = 256;

/// A server that may have [`DESCRIPTORS`], with a listener for the metrics.
fn limited(database: &TestDatabase) -> Server {
    let variables = [("INVENTORY_BOOTSTRAP_TOKEN", TOKEN), ("INVENTORY_METRICS_LISTEN", "127.0.0.1:0")];
    let server = Server::command(database, &variables);
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("ulimit -Sn {}; ulimit -Hn {DESCRIPTORS}; exec \"$0\"", DESCRIPTORS / 2)]);
    shell.arg(server.get_program()).env_clear();
    shell.envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Server::spawn(shell)
}

fn metrics_url(server: &Server) -> &str {
    let line = server.greeting.lines().find_map(|line| line.strip_prefix("Metrics on "));
    line.expect("a listener for the metrics")
}

/// The address of a URL.
fn address(url: &str) -> &str {
    url.strip_prefix("http://").unwrap().split('/').next().unwrap()
}

async fn status(url: &str) -> StatusCode {
    client().get(url).send().await.unwrap().status()
}

/// The log lines with this message, once there are `count` of them.
async fn logged(server: &Server, message: &str, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let log = server.log();
        let lines = log.lines().filter(|line| line.contains(message));
        let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
        if lines.len() >= count {
            return lines;
        }
        assert!(Instant::now() < deadline, "{log}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_connections_may_come_before_one_is_accepted() {
    let database = TestDatabase::sqlite();
    let server = Server::start(&database);
    server.signal("STOP");
    let mut connecting = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let address = address(&server.base).to_owned();
        connecting.spawn(tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect(address)));
    }
    let connections = connecting.join_all().await;
    server.signal("CONT");
    let connected = connections.iter().filter(|connection| matches!(connection, Ok(Ok(_)))).count();
    assert_eq!(connected, connections.len());
    assert_eq!(status(&format!("{}/livez", server.base)).await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_idle_connections_than_descriptors_silence_nothing() {
    let database = TestDatabase::sqlite();
    let server = limited(&database);
    let metrics = metrics_url(&server).to_owned();
    let connect = |url: &str| TcpStream::connect(address(url)).unwrap();
    let mut idle: Vec<_> = (0..2 * DESCRIPTORS).map(|_| connect(&server.base)).collect();
    // A head that does not go on is as idle.
    for connection in idle.iter_mut().step_by(2) {
        connection.write_all(b"GET /livez HTTP/1.1\r\n").ok();
    }
    let idle_at_metrics: Vec<_> = (0..DESCRIPTORS).map(|_| connect(&metrics)).collect();

    assert_eq!(status(&format!("{}/livez", server.base)).await, StatusCode::OK);
    assert_eq!(status(&format!("{}/readyz", server.base)).await, StatusCode::OK);
    server.api.create(&json!({"name": "a"})).await;
    assert_eq!(status(&metrics).await, StatusCode::OK);
    // The oldest is closed, the newest is not.
    assert!(matches!(idle[0].read(&mut [0; 64]), Ok(0) | Err(_)));
    let newest = idle.last_mut().unwrap();
    newest.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert!(newest.read(&mut [0; 64]).unwrap() > 0);

    // Of each listener one line, and one when it is over.
    drop((idle, idle_at_metrics));
    let ends = logged(&server, "below the connection limit again", 2).await;
    assert!(ends.iter().all(|line| line["duration_ms"].is_u64()), "{ends:?}");
    assert!(ends.iter().all(|line| line["closed_connections"].as_u64() > Some(0)), "{ends:?}");
    assert_eq!(logged(&server, "connection limit reached", 2).await.len(), 2);
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_every_connection_is_busy_health_and_metrics_still_answer() {
    let database = TestDatabase::sqlite();
    let server = limited(&database);
    let metrics = metrics_url(&server).to_owned();
    let body = json!({"name": "a"}).to_string();
    let mut taken = Vec::new();
    let mut refused = 0;
    for _ in 0..DESCRIPTORS {
        let mut half = TcpStream::connect(address(&server.base)).unwrap();
        write!(
            half,
            "POST /api/v1/components HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            body.len()
        )
        .unwrap();
        let mut head = [0; 12];
        half.read_exact(&mut head).unwrap();
        match &head {
            b"HTTP/1.1 100" => taken.push(half),
            b"HTTP/1.1 503" => refused += 1,
            other => panic!("{}", String::from_utf8_lossy(other)),
        }
    }
    assert!(taken.len() > 10 && refused > 10, "{} taken, {refused} refused", taken.len());
    assert_eq!(status(&format!("{}/livez", server.base)).await, StatusCode::OK);
    assert_eq!(status(&metrics).await, StatusCode::OK);
    let list = client().request(Method::GET, format!("{}/api/v1/components", server.base));
    let answer = list.bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
    // What was taken is carried out.
    let mut first = taken.swap_remove(0);
    first.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    while !answer.contains("HTTP/1.1 201") {
        let mut part = [0; 4096];
        let read = first.read(&mut part).unwrap();
        assert!(read > 0, "{answer}");
        answer.push_str(&String::from_utf8_lossy(&part[..read]));
    }
}
