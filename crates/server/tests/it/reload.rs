//! SIGHUP puts new secrets in force, and never ends the server.

use std::{fs, time::Instant};

use reqwest::StatusCode;
use tempfile::NamedTempFile;

use crate::{
    database::TestDatabase,
    server::{PATIENCE, Server, client},
};

/// Two files with secrets, and a server that reads them.
struct Secrets {
    metrics: NamedTempFile,
    bootstrap: NamedTempFile,
    server: Server,
}

impl Secrets {
    fn start(database: &TestDatabase) -> Self {
        let [metrics, bootstrap] = [0, 1].map(|_| NamedTempFile::new().unwrap());
        fs::write(&metrics, "the-first-metrics-token").unwrap();
        fs::write(&bootstrap, "the-first-bootstrap-token").unwrap();
        let variables = [
            ("INVENTORY_METRICS_TOKEN_FILE", metrics.path().to_str().unwrap()),
            ("INVENTORY_BOOTSTRAP_TOKEN_FILE", bootstrap.path().to_str().unwrap()),
        ];
        let server = Server::start_with(database, &variables);
        Self { metrics, bootstrap, server }
    }

    async fn status(&self, path: &str, token: &str) -> StatusCode {
        let request = client().get(format!("{}{path}", self.server.base)).bearer_auth(token);
        request.send().await.unwrap().status()
    }

    async fn scrapes(&self, token: &str) -> bool {
        self.status("/metrics/", token).await == StatusCode::OK
    }

    async fn reads(&self, token: &str) -> bool {
        self.status("/api/v1/components", token).await == StatusCode::OK
    }

    /// Sends SIGHUP and waits until everything is reloaded that can be.
    async fn reload(&self) {
        let reloads = || self.server.log().matches("reload finished").count();
        let before = reloads();
        self.server.signal("HUP");
        let deadline = Instant::now() + PATIENCE;
        while reloads() == before {
            assert_eq!(self.status("/livez", "").await, StatusCode::OK);
            assert!(Instant::now() < deadline, "{}", self.server.log());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_ends_no_server() {
    let database = TestDatabase::sqlite();
    let secrets = Secrets::start(&database);
    secrets.reload().await;
    assert!(secrets.scrapes("the-first-metrics-token").await);
    assert!(secrets.reads("the-first-bootstrap-token").await);
    secrets.server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_replaces_the_secrets_in_files() {
    for database in TestDatabase::each() {
        let secrets = Secrets::start(&database);
        // Used before, and so in the cache of tokens.
        assert!(secrets.reads("the-first-bootstrap-token").await);
        fs::write(&secrets.metrics, "the-second-metrics-token").unwrap();
        fs::write(&secrets.bootstrap, "the-second-bootstrap-token").unwrap();
        secrets.reload().await;
        assert!(secrets.scrapes("the-second-metrics-token").await);
        assert!(!secrets.scrapes("the-first-metrics-token").await);
        assert!(secrets.reads("the-second-bootstrap-token").await);
        assert!(!secrets.reads("the-first-bootstrap-token").await);
        secrets.server.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_cannot_be_used_leaves_the_old_one_in_force() {
    let database = TestDatabase::sqlite();
    let secrets = Secrets::start(&database);
    fs::write(&secrets.metrics, "short").unwrap();
    fs::remove_file(&secrets.bootstrap).unwrap();
    secrets.reload().await;
    let log = secrets.server.log();
    let errors: Vec<_> = log.lines().filter(|line| line.contains("\"ERROR\"")).collect();
    assert_eq!(errors.len(), 2, "{log}");
    assert!(errors[0].contains("INVENTORY_METRICS_TOKEN must be at least 16 characters"), "{log}");
    assert!(errors[1].contains("which INVENTORY_BOOTSTRAP_TOKEN_FILE names"), "{log}");
    assert!(secrets.scrapes("the-first-metrics-token").await);
    assert!(secrets.reads("the-first-bootstrap-token").await);
    fs::write(&secrets.metrics, "the-second-metrics-token").unwrap();
    secrets.reload().await;
    assert!(secrets.scrapes("the-second-metrics-token").await);
    secrets.server.stop();
}
