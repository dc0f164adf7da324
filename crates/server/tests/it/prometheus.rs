//! A real Prometheus that scrapes a real server with the configuration that ships.

use std::{
    io::ErrorKind,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    database::TestDatabase,
    server::{PATIENCE, Server},
};

struct Prometheus {
    child: Child,
    base: String,
    /// Its configuration and its data.
    _directory: TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `None`, and a line that says so, where Prometheus is not installed.
fn prometheus(target: &str) -> Option<Prometheus> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/prometheus");
    let directory = TempDir::new().unwrap();
    let configuration = std::fs::read_to_string(shipped.join("prometheus.yml")).unwrap();
    assert!(configuration.contains("inventory-service:8000") && configuration.contains("15s"));
    let configuration = configuration.replace("inventory-service:8000", target).replace("15s", "200ms");
    std::fs::write(directory.path().join("prometheus.yml"), configuration).unwrap();
    std::fs::copy(shipped.join("inventory.rules.yml"), directory.path().join("inventory.rules.yml")).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new("prometheus")
        .arg(format!("--config.file={}", directory.path().join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match child {
        Ok(child) => {
            Some(Prometheus { child, base: format!("http://127.0.0.1:{port}"), _directory: directory })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            assert!(std::env::var_os("CI").is_none(), "prometheus is needed where CI is set");
            eprintln!("SKIPPED: prometheus is not installed");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Asks until the answer is as expected; the value of an instant vector with one element.
async fn settles(server: &Server, prometheus: &Prometheus, query: &str, expected: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let url = format!("{}/api/v1/query", prometheus.base);
        let url = reqwest::Url::parse_with_params(&url, [("query", query)]).unwrap();
        let answer = server.api.client.get(url).send().await;
        let answer: Value = match answer {
            Ok(answer) => answer.json().await.unwrap_or(Value::Null),
            Err(_not_up_yet) => Value::Null,
        };
        if answer["data"]["result"][0]["value"][1] == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{query} is not {expected}: {answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_returns_the_right_values() {
    let database = TestDatabase::sqlite();
    let server = Server::start(&database);
    let Some(prometheus) = prometheus(server.base.trim_start_matches("http://")) else { return };
    settles(&server, &prometheus, "up{job=\"inventory\"}", "1").await;
    settles(&server, &prometheus, "inventory_components_created_total", "0").await;
    let mut ids = Vec::new();
    for _ in 0..42 {
        ids.push(server.api.create(&json!({"name": "a"})).await["id"].as_str().unwrap().to_owned());
    }
    for id in &ids[..5] {
        server.api.delete(id).await;
    }
    for (query, value) in [
        ("inventory_components_created_total", "42"),
        ("inventory_components_deleted_total", "5"),
        ("inventory_components_total", "37"),
        ("max without (instance) (inventory_components)", "37"),
        ("inventory_components_count_drift", "0"),
        ("inventory_collector_success{collector=\"database\"}", "1"),
    ] {
        settles(&server, &prometheus, query, value).await;
    }
    server.stop();
}
