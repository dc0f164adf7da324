//! `kill -9` under load: what was answered is there, and rows and events agree.

use std::{collections::HashSet, time::Duration};

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    command::run,
    database::TestDatabase,
    server::{Api, Server},
};

const CLIENTS: u64 = 4;

/// What a client was told before the process died.
#[derive(Default)]
struct Told {
    created: HashSet<String>,
    deleted: HashSet<String>,
}

async fn load(api: Api, seed: u64) -> Told {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut told = Told::default();
    loop {
        if random.u8(0..4) == 0
            && let Some(id) = told.created.iter().next().cloned()
        {
            told.created.remove(&id);
            let request = api.request(Method::DELETE, &format!("/api/v1/components/{id}"));
            let Ok(response) = request.header("If-Match", "*").send().await else {
                // The row may be there or not.
                return told;
            };
            assert_eq!(response.status(), StatusCode::NO_CONTENT);
            told.deleted.insert(id);
            continue;
        }
        let request = api.request(Method::POST, "/api/v1/components").json(&json!({"name": "a"}));
        let Ok(response) = request.send().await else { return told };
        assert_eq!(response.status(), StatusCode::CREATED);
        // The head says it all; the body may be cut off.
        let location = response.headers()["location"].to_str().unwrap();
        told.created.insert(location.rsplit('/').next().unwrap().to_owned());
    }
}

async fn kill_and_look(database: &TestDatabase, rounds: u64) {
    let id = match database {
        TestDatabase::Sqlite { .. } => "lower(hex(id))",
        TestDatabase::Postgres { .. } => "replace(id::text, '-', '')",
    };
    for round in 0..rounds {
        let server = Server::start(database);
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            clients.spawn(load(server.api.clone(), round * CLIENTS + client));
        }
        // The moment of the kill is what varies; nothing is waited for.
        let moment = fastrand::Rng::with_seed(round).u64(1..250);
        tokio::time::sleep(Duration::from_millis(moment)).await;
        server.kill();
        let rows = database.shell(&format!("SELECT {id} FROM component"));
        let rows: HashSet<&str> = rows.lines().collect();
        for told in clients.join_all().await {
            for id in &told.created {
                assert!(rows.contains(&*id.replace('-', "")), "round {round}: {id} was answered and is gone");
            }
            for id in &told.deleted {
                assert!(!rows.contains(&*id.replace('-', "")), "round {round}: {id} was deleted and is back");
            }
        }
        let report = run(database, &["check"]);
        assert_eq!(report.code, 0, "round {round}: {}{}", report.stdout, report.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_nothing_on_sqlite() {
    kill_and_look(&TestDatabase::sqlite(), 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_nothing_on_postgres() {
    let Some(database) = TestDatabase::postgres() else { return };
    kill_and_look(&database, 20).await;
}
