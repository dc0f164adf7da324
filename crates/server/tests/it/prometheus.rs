//! A real Prometheus that scrapes a real server with the configuration that ships.

use std::{
    io::{ErrorKind, Write as _},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use regex::{Captures, Regex};
use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};

use crate::{
    database::TestDatabase,
    server::{PATIENCE, Server, TOKEN, client, client_that_trusts},
    tls::Certificate,
};

/// Where the configurations expect the service, and the token that it asks for.
pub(crate) const TARGET: &str = "inventory-service:8000";
const TOKEN_FILE: &str = "/etc/prometheus/inventory-metrics-token";

const METRICS_TOKEN: &str = "the-token-of-prometheus";

/// How much faster than as shipped Prometheus scrapes where alerts do not matter.
const FAST: u32 = 75;

pub(crate) struct Prometheus {
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

/// A configuration or rules with every duration divided by a number.
fn faster(text: &str, by: u32) -> String {
    let duration = Regex::new(r"\b(\d+)([smh])\b").unwrap();
    let shorter = |found: &Captures<'_>| {
        let unit_ms = match &found[2] {
            "s" => 1_000,
            "m" => 60_000,
            _ => 3_600_000,
        };
        format!("{}ms", found[1].parse::<u32>().unwrap() * unit_ms / by)
    };
    duration.replace_all(text, shorter).into_owned()
}

impl Prometheus {
    /// Prometheus with a configuration and the rules that ship, in which some texts are replaced by others and every
    /// duration is divided by `faster_by`. `None`, and a line that says so, where Prometheus is not installed.
    pub(crate) fn start(configuration: &str, replacements: &[(&str, &str)], faster_by: u32) -> Option<Self> {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/prometheus");
        let directory = TempDir::new().unwrap();
        let mut text = std::fs::read_to_string(shipped.join(configuration)).unwrap();
        assert!(text.contains("scrape_interval: 15s"), "{configuration}");
        text.push_str("global:\n  evaluation_interval: 15s\n");
        text = faster(&text, faster_by);
        for (old, new) in replacements {
            assert!(text.contains(old), "{configuration} has no {old}");
            text = text.replace(old, new);
        }
        let file = directory.path().join("prometheus.yml");
        std::fs::write(&file, text).unwrap();
        let rules = std::fs::read_to_string(shipped.join("inventory.rules.yml")).unwrap();
        std::fs::write(directory.path().join("inventory.rules.yml"), faster(&rules, faster_by)).unwrap();
        let port = free_port();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg(format!("--query.lookback-delta={}", faster("5m", faster_by)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match child {
            Ok(child) => {
                let check = Command::new("promtool").args(["check", "config"]).arg(&file).output().unwrap();
                assert!(check.status.success(), "{configuration}: {check:?}");
                Some(Self { child, base: format!("http://127.0.0.1:{port}"), _directory: directory })
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                assert!(std::env::var_os("CI").is_none(), "prometheus is needed where CI is set");
                eprintln!("SKIPPED: prometheus is not installed");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// What its API answers, and nothing while it is not up yet.
    pub(crate) async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let url =
            reqwest::Url::parse_with_params(&format!("{}/api/v1/{path}", self.base), parameters).unwrap();
        match client().get(url).send().await {
            Ok(answer) => answer.json().await.unwrap_or(Value::Null),
            Err(_not_up_yet) => Value::Null,
        }
    }

    /// Asks until the answer is as expected; the value of an instant vector with one element.
    pub(crate) async fn settles(&self, query: &str, expected: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask("query", &[("query", query)]).await;
            if answer["data"]["result"][0]["value"][1] == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{query} is not {expected}: {answer}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A port of the loopback address that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_returns_the_right_values() {
    let database = TestDatabase::sqlite();
    let server = Server::start(&database);
    let target = [(TARGET, server.base.trim_start_matches("http://"))];
    let Some(prometheus) = Prometheus::start("prometheus.yml", &target, FAST) else { return };
    prometheus.settles("up{job=\"inventory\"}", "1").await;
    prometheus.settles("inventory_components_created_total", "0").await;
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
        prometheus.settles(query, value).await;
    }
    server.stop();
}

/// Proves that a configuration scrapes a server with these variables.
async fn scrapes(
    configuration: &str,
    variables: &[(&str, &str)],
    replacements: &[(&str, &str)],
    certificate: Option<&str>,
) {
    let database = TestDatabase::sqlite();
    let bootstrap = ("INVENTORY_BOOTSTRAP_TOKEN", TOKEN);
    let mut server = Server::start_with(&database, &[&[bootstrap], variables].concat());
    if let Some(certificate) = certificate {
        server.api.client = client_that_trusts(certificate);
    }
    let metrics = server.greeting.lines().find_map(|line| line.strip_prefix("Metrics on http://"));
    let target = match metrics {
        Some(metrics) => ("inventory-service:9100", metrics.trim_end_matches("/metrics/")),
        None => (TARGET, server.base.split_once("://").unwrap().1),
    };
    server.api.create(&json!({"name": "a"})).await;
    let replacements = [&[target], replacements].concat();
    let Some(prometheus) = Prometheus::start(configuration, &replacements, FAST) else { return };
    prometheus.settles("up{job=\"inventory\"}", "1").await;
    prometheus.settles("inventory_components_created_total", "1").await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_sends_the_token_as_a_bearer_token_or_as_a_password() {
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "{METRICS_TOKEN}").unwrap();
    let file = (TOKEN_FILE, file.path().to_str().unwrap());
    for configuration in ["prometheus.bearer.yml", "prometheus.basic.yml"] {
        scrapes(configuration, &[("INVENTORY_METRICS_TOKEN", METRICS_TOKEN)], &[file], None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_scrapes_open_metrics_on_any_listener() {
    let everywhere = ("INVENTORY_LISTEN", "0.0.0.0:0");
    scrapes("prometheus.yml", &[everywhere, ("INVENTORY_METRICS_PUBLIC", "true")], &[], None).await;
    let own = ("INVENTORY_METRICS_LISTEN", "127.0.0.1:0");
    scrapes("prometheus.own-listener.yml", &[everywhere, own], &[], None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_scrapes_by_tls() {
    let mut file = NamedTempFile::new().unwrap();
    writeln!(file, "{METRICS_TOKEN}").unwrap();
    let certificate = Certificate::new();
    let replacements = [
        (TOKEN_FILE, file.path().to_str().unwrap()),
        ("/etc/prometheus/inventory-ca.pem", certificate.variables()[0].1),
    ];
    let token = ("INVENTORY_METRICS_TOKEN", METRICS_TOKEN);
    let [cert, key] = certificate.variables();
    scrapes("prometheus.tls.yml", &[token, cert, key], &replacements, Some(&certificate.pem)).await;
}
