//! The one checker: acknowledged = rows = log = counters = what a stream delivered.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use reqwest::{Client, StatusCode};
use serde_json::json;

use crate::{Acknowledged, StreamReader};

/// How long a service may take to recover from a fault before the checker gives up on it.
const RECOVERY: Duration = Duration::from_mins(1);
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// A service that runs, and a token that may read and write.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Where it serves, without a slash at the end.
    pub base: String,
    /// The token.
    pub token: String,
}

/// Holds what clients were told against rows, log, counters and stream. Runs when no writes are under way.
pub struct Checker<'a> {
    /// The services on the database that run now.
    pub services: &'a [Endpoint],
    /// Runs a query on the database, past the service, and returns its rows, columns separated by `|`.
    pub shell: &'a dyn Fn(&str) -> String,
    /// Whether the database is SQLite.
    pub sqlite: bool,
}

impl std::fmt::Debug for Checker<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checker").field("services", &self.services).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct LoggedEvent {
    seq: u64,
    id: String,
    r#type: String,
    component: Option<String>,
    version: Option<u64>,
    origin: String,
}

impl Checker<'_> {
    /// Panics with everything that does not agree. Creates one component through each service, which is acknowledged,
    /// too.
    pub async fn check(&self, acknowledged: &mut Acknowledged, stream: Option<&StreamReader>) {
        let client = Client::new();
        // A write through each service proves that it has recovered, and shows by its event which origin it has.
        let mut probes = Vec::new();
        for service in self.services {
            probes.push(probe(&client, service, acknowledged).await);
        }
        let (rows, log) = (self.rows(), self.log());
        let mut wrong = Vec::new();
        rows_agree(acknowledged, &rows, &mut wrong);
        log_agrees(&rows, &log, &mut wrong);
        for (service, probe) in self.services.iter().zip(&probes) {
            let origin = log.iter().find(|event| event.component.as_ref() == Some(probe));
            match origin {
                Some(event) => counters_agree(&client, service, &event.origin, &log, &rows, &mut wrong).await,
                None => wrong.push(format!("the component {probe} was acknowledged and has no event")),
            }
        }
        if let Some(stream) = stream {
            let head = log.last().map_or(0, |event| event.seq);
            let received = stream.wait_for(head, RECOVERY).await;
            let logged: Vec<_> = log.iter().map(|event| (event.seq, event.id.clone())).collect();
            if received != logged {
                let first = received.iter().zip(&logged).position(|(received, logged)| received != logged);
                wrong.push(format!(
                    "the stream delivered {} events and the log has {}; the first difference is at {first:?}",
                    received.len(),
                    logged.len()
                ));
            }
        }
        assert!(wrong.is_empty(), "{} things do not agree:\n{}", wrong.len(), wrong.join("\n"));
    }

    /// Version by id.
    fn rows(&self) -> BTreeMap<String, u64> {
        let id = if self.sqlite { "lower(hex(id))" } else { "replace(id::text, '-', '')" };
        let rows = (self.shell)(&format!("SELECT {id}, version FROM component"));
        let row = |line: &str| {
            let (id, version) = line.split_once('|').unwrap();
            (id.to_owned(), version.parse().unwrap())
        };
        rows.lines().map(row).collect()
    }

    fn log(&self) -> Vec<LoggedEvent> {
        let (id, origin, version) = if self.sqlite {
            (
                "lower(hex(id))",
                "lower(hex(origin))",
                "coalesce(data ->> '$.component.version', data ->> '$.after.version', '')",
            )
        } else {
            (
                "replace(id::text, '-', '')",
                "replace(origin::text, '-', '')",
                "coalesce(data::json #>> '{component,version}', data::json #>> '{after,version}', '')",
            )
        };
        let rows = (self.shell)(&format!(
            "SELECT seq, {id}, type, subject, {origin}, {version} FROM event_log ORDER BY seq"
        ));
        let event = |line: &str| {
            let parts: Vec<_> = line.split('|').collect();
            let [seq, id, r#type, subject, origin, version] = *parts else { panic!("{line}") };
            let component = subject.strip_prefix("components/").map(|id| id.replace('-', ""));
            LoggedEvent {
                seq: seq.parse().unwrap(),
                id: id.to_owned(),
                r#type: r#type.to_owned(),
                component,
                version: version.parse().ok(),
                origin: origin.to_owned(),
            }
        };
        rows.lines().map(event).collect()
    }
}

/// Creates a component, again and again while the service recovers.
async fn probe(client: &Client, service: &Endpoint, acknowledged: &mut Acknowledged) -> String {
    let give_up = Instant::now() + RECOVERY;
    loop {
        let request = client.post(format!("{}/api/v1/components", service.base)).bearer_auth(&service.token);
        let answer = request.json(&json!({"name": "probe"})).send().await;
        let what = match answer {
            Ok(response) if response.status() == StatusCode::CREATED => {
                let body: serde_json::Value = response.json().await.unwrap();
                let id = body["id"].as_str().unwrap();
                acknowledged.stored(id, 1);
                return id.replace('-', "");
            }
            Ok(response) => {
                let (status, body) = (response.status(), response.text().await.unwrap_or_default());
                if body.contains("outcome-unknown") {
                    acknowledged.unanswered(1);
                }
                format!("{status} {body}")
            }
            Err(error) => {
                acknowledged.unanswered(1);
                error.to_string()
            }
        };
        assert!(Instant::now() < give_up, "{} did not recover: {what}", service.base);
        tokio::time::sleep(PAUSE).await;
    }
}

fn rows_agree(acknowledged: &Acknowledged, rows: &BTreeMap<String, u64>, wrong: &mut Vec<String>) {
    let mut told = BTreeSet::new();
    let (mut missing, mut back) = (0_u64, 0_u64);
    for (id, version) in &acknowledged.components {
        let row = rows.get(&id.replace('-', ""));
        told.insert(id.replace('-', ""));
        if acknowledged.uncertain.contains(id) {
            continue;
        }
        match (version, row) {
            (Some(version), Some(row)) if version != row => {
                wrong.push(format!("component {id} was acknowledged at version {version} and is at {row}"));
            }
            (Some(_), None) => missing += 1,
            (None, Some(_)) => back += 1,
            _ => {}
        }
    }
    if missing > 0 {
        wrong.push(format!("{missing} components were acknowledged and are not there"));
    }
    if back > 0 {
        wrong.push(format!("{back} components were acknowledged as deleted and are there"));
    }
    let unknown = rows.keys().filter(|id| !told.contains(*id)).count() as u64;
    if unknown > acknowledged.unanswered {
        wrong.push(format!(
            "{unknown} components exist that were never acknowledged, but only {} creations were not \
             answered",
            acknowledged.unanswered
        ));
    }
}

/// The log is 1, 2, 3, … and its last word about each component is the row.
fn log_agrees(rows: &BTreeMap<String, u64>, log: &[LoggedEvent], wrong: &mut Vec<String>) {
    let mut expected = BTreeMap::new();
    for (event, seq) in log.iter().zip(1..) {
        if event.seq != seq {
            wrong.push(format!("event {seq} is missing from the log, {} comes instead", event.seq));
            break;
        }
    }
    for event in log {
        let Some(component) = &event.component else { continue };
        if event.r#type == "component.deleted" {
            expected.remove(component);
        } else {
            expected.insert(component.clone(), event.version.unwrap_or_default());
        }
    }
    if expected != *rows {
        let differing = expected.iter().filter(|(id, version)| rows.get(*id) != Some(version)).count()
            + rows.keys().filter(|id| !expected.contains_key(*id)).count();
        wrong.push(format!("{differing} rows are not as the log says"));
    }
}

/// The counters are the events of this service since it started, and the gauge is the number of rows.
async fn counters_agree(
    client: &Client,
    service: &Endpoint,
    origin: &str,
    log: &[LoggedEvent],
    rows: &BTreeMap<String, u64>,
    wrong: &mut Vec<String>,
) {
    let response = client.get(format!("{}/metrics/", service.base)).send().await.unwrap();
    let scrape = response.text().await.unwrap();
    let logged = |r#type: &str| {
        log.iter().filter(|event| event.origin == origin && event.r#type == r#type).count().to_string()
    };
    for (metric, expected) in [
        ("inventory_components_created_total", logged("component.created")),
        ("inventory_components_updated_total", logged("component.updated")),
        ("inventory_components_deleted_total", logged("component.deleted")),
        ("inventory_components_total", rows.len().to_string()),
    ] {
        let value = scrape.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
        if value != Some(&*expected) {
            wrong.push(format!("{metric} of {} is {value:?} and should be {expected}", service.base));
        }
    }
}
