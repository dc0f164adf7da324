//! Mixed writes of clients that keep to what they were told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use inventory_testing::Acknowledged;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::server::Api;

/// How many components a batch creates.
const BATCH: u64 = 5;

/// The pause after a connection was refused.
const RECONNECT_PAUSE: Duration = Duration::from_millis(5);

/// What became of a request.
enum Told {
    /// It was carried out.
    Done(Response),
    /// It was not carried out.
    Refused,
    /// It may have been carried out.
    Open,
}

/// Creates, changes and deletes components, alone and in batches, until told to stop. Only this client changes them.
pub(crate) async fn mixed_writes(api: Api, seed: u64, stop: Arc<AtomicBool>) -> Acknowledged {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut acknowledged = Acknowledged::default();
    let mut mine: Vec<(String, u64)> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        match random.u8(0..10) {
            0..3 if !mine.is_empty() => {
                let index = random.usize(0..mine.len());
                let (id, version) = mine[index].clone();
                let request = api.request(Method::PATCH, &format!("/api/v1/components/{id}"));
                let request = request.header("If-Match", format!("\"{version}\""));
                match send(request.json(&json!({"name": format!("name {}", random.u64(..))}))).await {
                    Told::Done(_) => {
                        mine[index].1 += 1;
                        acknowledged.stored(&id, version + 1);
                    }
                    Told::Refused => {}
                    Told::Open => {
                        mine.swap_remove(index);
                        acknowledged.uncertain(&id);
                    }
                }
            }
            3..5 if !mine.is_empty() => {
                let (id, version) = mine.swap_remove(random.usize(0..mine.len()));
                let request = api.request(Method::DELETE, &format!("/api/v1/components/{id}"));
                match send(request.header("If-Match", format!("\"{version}\""))).await {
                    Told::Done(_) => acknowledged.deleted(&id),
                    Told::Refused => mine.push((id, version)),
                    Told::Open => acknowledged.uncertain(&id),
                }
            }
            5 => {
                let create = |_| json!({"op": "create", "component": {"name": "of a batch"}});
                let operations: Vec<_> = (0..BATCH).map(create).collect();
                let request = api.request(Method::POST, "/api/v1/components/batch");
                match send(request.json(&json!({ "operations": operations }))).await {
                    Told::Done(response) => match response.json::<Value>().await {
                        Ok(body) => {
                            for result in body["results"].as_array().unwrap() {
                                let id = result["component"]["id"].as_str().unwrap().to_owned();
                                acknowledged.stored(&id, 1);
                                mine.push((id, 1));
                            }
                        }
                        // Acknowledged by the head of the answer, but which ones was lost.
                        Err(_) => acknowledged.unanswered(BATCH),
                    },
                    Told::Refused => {}
                    Told::Open => acknowledged.unanswered(BATCH),
                }
            }
            _ => {
                let request = api.request(Method::POST, "/api/v1/components");
                match send(request.json(&json!({"name": "a"}))).await {
                    Told::Done(response) => {
                        // The head says it all; the body may be cut off.
                        let location = response.headers()["location"].to_str().unwrap();
                        let id = location.rsplit('/').next().unwrap().to_owned();
                        acknowledged.stored(&id, 1);
                        mine.push((id, 1));
                    }
                    Told::Refused => {}
                    Told::Open => acknowledged.unanswered(1),
                }
            }
        }
    }
    acknowledged
}

async fn send(request: reqwest::RequestBuilder) -> Told {
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() => {
            // The service is gone for a while.
            tokio::time::sleep(RECONNECT_PAUSE).await;
            return Told::Refused;
        }
        Err(_) => return Told::Open,
    };
    let status = response.status();
    if status.is_success() {
        return Told::Done(response);
    }
    let problem = response.json::<Value>().await.unwrap_or_default();
    let kind = problem["type"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    match (status, kind) {
        (StatusCode::SERVICE_UNAVAILABLE, "busy" | "database-unavailable") => Told::Refused,
        (status, _) if status.is_server_error() => Told::Open,
        _ => panic!("a client that keeps to what it was told is answered {status} {problem}"),
    }
}
