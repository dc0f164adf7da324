//! The alerts that ship, in a real Prometheus over real servers.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::Method;
use serde_json::json;

use crate::{
    database::TestDatabase,
    prometheus::{Prometheus, TARGET, free_port},
    server::{Api, Server, TOKEN},
};

/// How much faster than as shipped Prometheus scrapes and evaluates, windows and `for` included.
const FASTER_BY: u32 = 10;
/// How long the healthy run is: ten minutes, so much faster.
const RUN: Duration = Duration::from_secs(600 / FASTER_BY as u64);
/// Clients that write at once.
const WRITERS: usize = 2;
/// The pause of a client between two writes: three a second, so much faster.
const BETWEEN_WRITES: Duration = Duration::from_millis(333 / FASTER_BY as u64);

fn replica(database: &TestDatabase, port: u16) -> Server {
    let listen = format!("127.0.0.1:{port}");
    Server::start_with(database, &[("INVENTORY_BOOTSTRAP_TOKEN", TOKEN), ("INVENTORY_LISTEN", &listen)])
}

/// Creates, changes and deletes components until told to stop, through the replicas in turn. As behind a load
/// balancer, a replica that does not take connections is passed over. Returns the number of writes that succeeded.
async fn write(apis: Vec<Api>, done: Arc<AtomicBool>) -> u64 {
    let mut pace = tokio::time::interval(BETWEEN_WRITES);
    let mut ids: VecDeque<String> = VecDeque::new();
    let mut successes = 0;
    for number in 0_usize.. {
        if done.load(Ordering::Relaxed) {
            break;
        }
        pace.tick().await;
        let api = &apis[number % apis.len()];
        let changed = match number % 8 {
            3 => ids.front().cloned(),
            7 => ids.pop_front(),
            _ => None,
        };
        let request = match &changed {
            Some(id) if number % 8 == 3 => api
                .request(Method::PATCH, &format!("/api/v1/components/{id}"))
                .json(&json!({"notes": number.to_string()}))
                .header("If-Match", "*"),
            Some(id) => {
                api.request(Method::DELETE, &format!("/api/v1/components/{id}")).header("If-Match", "*")
            }
            None => api.request(Method::POST, "/api/v1/components").json(&json!({"name": "a"})),
        };
        let Ok(response) = request.send().await else { continue };
        successes += u64::from(response.status().is_success());
        if changed.is_none()
            && let Ok(component) = response.json::<serde_json::Value>().await
            && let Some(id) = component["id"].as_str()
        {
            ids.push_back(id.to_owned());
        }
    }
    successes
}

#[tokio::test(flavor = "multi_thread")]
async fn no_alert_fires_in_ten_minutes_of_two_replicas_with_a_rolling_restart() {
    let Some(database) = TestDatabase::postgres() else { return };
    let ports = [free_port(), free_port()];
    let mut replicas: Vec<_> = ports.iter().map(|port| replica(&database, *port)).collect();
    let targets = ports.map(|port| format!("127.0.0.1:{port}")).join("', '");
    let Some(prometheus) = Prometheus::start("prometheus.yml", &[(TARGET, &targets)], FASTER_BY) else {
        return;
    };
    prometheus.settles("sum(up{job=\"inventory\"})", "2").await;

    let done = Arc::new(AtomicBool::new(false));
    let apis: Vec<_> = replicas.iter().map(|server| server.api.clone()).collect();
    let writers: Vec<_> =
        (0..WRITERS).map(|_| tokio::spawn(write(apis.clone(), Arc::clone(&done)))).collect();
    // The time that passes here is what Prometheus judges by; nothing is waited for.
    let start = tokio::time::Instant::now();
    for ((index, port), restart) in ports.into_iter().enumerate().zip([RUN / 6, RUN / 3]) {
        tokio::time::sleep_until(start + restart).await;
        replicas.remove(index).stop();
        replicas.insert(index, replica(&database, port));
    }
    tokio::time::sleep_until(start + RUN).await;
    done.store(true, Ordering::Relaxed);
    let mut successes = 0;
    for writer in writers {
        successes += writer.await.unwrap();
    }
    assert!(successes > 1_000, "only {successes} writes succeeded: the run shows nothing");

    let fired =
        prometheus.ask("query", &[("query", "count_over_time(ALERTS{alertstate=\"firing\"}[10m])")]).await;
    assert_eq!(fired["data"]["result"], json!([]), "{fired}");

    // The rules were evaluated, and what is not healthy fires.
    let rules = prometheus.ask("rules", &[]).await;
    let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap();
    assert!(rules.len() > 10 && rules.iter().all(|rule| rule["health"] == "ok"), "{rules:?}");
    replicas.remove(1).kill();
    prometheus.settles("count(ALERTS{alertname=\"InventoryDown\", alertstate=\"firing\"})", "1").await;
    replicas.remove(0).stop();
}

/// The number of POST requests that a scrape says were answered with an error.
async fn failed_posts(server: &Server) -> u64 {
    let scrape = server.api.scrape().await;
    let failed = scrape.lines().filter(|line| {
        line.starts_with("inventory_http_requests_total{http_request_method=\"POST\",error_type=")
    });
    let counts: Vec<u64> = failed.map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap()).collect();
    assert!(!counts.is_empty(), "the series of errors are there from the start");
    counts.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_that_is_answered_with_an_error_is_counted() {
    for database in TestDatabase::each() {
        let server = Server::start(&database);
        server.api.create(&json!({"name": "a"})).await;
        assert_eq!(failed_posts(&server).await, 0);
        database.shell("ALTER TABLE event_log RENAME TO out_of_the_way");
        for failed in 1..=5 {
            let (status, answer) = server.api.post("/api/v1/components", &json!({"name": "b"})).await;
            assert!(status.is_server_error(), "{status} {answer}");
            assert_eq!(failed_posts(&server).await, failed);
        }
        database.shell("ALTER TABLE out_of_the_way RENAME TO event_log");
        server.api.create(&json!({"name": "c"})).await;
        assert_eq!(failed_posts(&server).await, 5);
        server.stop();
    }
}
