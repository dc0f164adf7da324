//! `/metrics/` beside the database: equal to the last event, whatever happens.

use std::{
    io::Write as _,
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    command::run,
    database::{TestDatabase, WriteLock},
    server::{Server, TOKEN, metric},
};

/// The counters, the gauge and the head of the log in one scrape.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shown {
    created: i64,
    deleted: i64,
    total: i64,
}

async fn shown(server: &Server) -> Shown {
    let scrape = server.api.scrape().await;
    let whole = |name| metric(&scrape, name).to_string().parse().unwrap();
    Shown {
        created: whole("inventory_components_created_total"),
        deleted: whole("inventory_components_deleted_total"),
        total: whole("inventory_components_total"),
    }
}

fn sound(database: &TestDatabase) {
    let report = run(database, &["check"]);
    assert_eq!(report.code, 0, "{}{}", report.stdout, report.stderr);
}

/// How many times what has to be so every time is tried.
const ROUNDS: u32 = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn every_answered_create_is_in_the_next_scrape() {
    for database in TestDatabase::each() {
        let server = Server::start(&database);
        for round in 1..=ROUNDS {
            server.api.create(&json!({"name": "a"})).await;
            let created = server.api.metric("inventory_components_created_total").await;
            assert!(created.to_bits() == f64::from(round).to_bits(), "{created} after {round}");
        }
        sound(&database);
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scrape_is_one_snapshot() {
    for database in TestDatabase::each() {
        let server = Server::start(&database);
        server.api.create(&json!({"name": "there before"})).await;
        let first = shown(&server).await;
        let stop = Arc::new(AtomicBool::new(false));
        let mut load = JoinSet::new();
        for _ in 0..4 {
            let (api, stop) = (server.api.clone(), Arc::clone(&stop));
            load.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let component = api.create(&json!({"name": "a"})).await;
                    if !component["id"].as_str().unwrap().ends_with(['0', '1', '2', '3']) {
                        api.delete(component["id"].as_str().unwrap()).await;
                    }
                }
            });
        }
        let mut moved = 0;
        let mut last = first;
        for _ in 0..ROUNDS {
            let now = shown(&server).await;
            assert_eq!(
                now.total - first.total,
                (now.created - first.created) - (now.deleted - first.deleted),
                "{first:?} {now:?}"
            );
            moved += u32::from(now != last);
            last = now;
        }
        assert!(moved > ROUNDS / 100, "there was no load to speak of: {moved}");
        stop.store(true, Ordering::Relaxed);
        while let Some(client) = load.join_next().await {
            client.unwrap();
        }
        sound(&database);
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_many_delete_is_deleted_once() {
    const ROWS: usize = 200;
    const CLIENTS: usize = 8;
    for database in TestDatabase::each() {
        let server = Server::start(&database);
        let mut ids = Vec::new();
        for _ in 0..ROWS {
            ids.push(server.api.create(&json!({"name": "a"})).await["id"].as_str().unwrap().to_owned());
        }
        let ids = Arc::new(ids);
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (api, ids) = (server.api.clone(), Arc::clone(&ids));
            clients.spawn(async move {
                let mut answers = Vec::new();
                for id in &*ids {
                    let request = api.request(Method::DELETE, &format!("/api/v1/components/{id}"));
                    answers.push(api.send(request.header("If-Match", "*")).await.0);
                }
                answers
            });
        }
        let answers: Vec<_> = clients.join_all().await.into_iter().flatten().collect();
        let count = |status| answers.iter().filter(|answer| **answer == status).count();
        assert_eq!(count(StatusCode::NO_CONTENT), ROWS);
        assert_eq!(count(StatusCode::NOT_FOUND), ROWS * (CLIENTS - 1));
        assert_eq!(shown(&server).await, Shown { created: 200, deleted: 200, total: 0 });
        sound(&database);
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_many_create_is_created_once() {
    const SKUS: usize = 100;
    const CLIENTS: usize = 8;
    for database in TestDatabase::each() {
        let server = Server::start(&database);
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let api = server.api.clone();
            clients.spawn(async move {
                let mut answers = Vec::new();
                for sku in 0..SKUS {
                    let component = json!({"name": "a", "sku": format!("sku {sku}")});
                    answers.push(api.post("/api/v1/components", &component).await.0);
                }
                answers
            });
        }
        let answers: Vec<_> = clients.join_all().await.into_iter().flatten().collect();
        let count = |status| answers.iter().filter(|answer| **answer == status).count();
        assert_eq!((count(StatusCode::CREATED), count(StatusCode::CONFLICT)), (100, 700));
        assert_eq!(shown(&server).await, Shown { created: 100, deleted: 0, total: 100 });
        sound(&database);
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rolled_back_counts_nothing_and_what_is_written_together_counts_each() {
    for database in TestDatabase::each() {
        let server = Server::start(&database);
        let create =
            |n: u32, sku: &str| json!({"op": "create", "component": {"name": format!("n{n}"), "sku": sku}});
        let whole: Vec<_> = (0..100).map(|n| create(n, &format!("sku {n}"))).collect();
        let (status, body) = server.api.post("/api/v1/components/batch", &json!({"operations": whole})).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!(shown(&server).await, Shown { created: 100, deleted: 0, total: 100 });
        // The last of these has a sku that is taken.
        let half = [create(1, "free"), create(2, "free too"), create(3, "sku 7")];
        let (status, _) = server.api.post("/api/v1/components/batch", &json!({"operations": half})).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert_eq!(shown(&server).await, Shown { created: 100, deleted: 0, total: 100 });
        sound(&database);
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_hang_up_leave_everything_equal() {
    const CLIENTS: usize = 20;
    for database in TestDatabase::each() {
        let server = Server::start(&database);
        let address = server.base.trim_start_matches("http://").to_owned();
        for client in 0..CLIENTS {
            let body = json!({"name": format!("n{client}")}).to_string();
            let request = format!(
                "POST /api/v1/components HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            // Gone before the answer, at one moment or another.
            drop(stream);
        }
        // A request may be dropped before it is read whole, and then writes nothing. This one comes after.
        server.api.create(&json!({"name": "the last"})).await;
        sound(&database);
        let now = shown(&server).await;
        let rows: i64 = database.shell("SELECT count(*) FROM component").parse().unwrap();
        let events: i64 = database
            .shell("SELECT count(*) FROM event_log WHERE type = 'component.created'")
            .parse()
            .unwrap();
        assert_eq!((now.created, now.total, events), (rows, rows, rows));
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_count_their_own_and_see_all() {
    for database in TestDatabase::each() {
        let servers = [Server::start(&database), Server::start(&database)];
        let mut clients = JoinSet::new();
        for (server, creates) in servers.iter().zip([30, 50]) {
            let api = server.api.clone();
            clients.spawn(async move {
                for _ in 0..creates {
                    api.create(&json!({"name": "a"})).await;
                }
            });
        }
        clients.join_all().await;
        assert_eq!(shown(&servers[0]).await, Shown { created: 30, deleted: 0, total: 80 });
        assert_eq!(shown(&servers[1]).await, Shown { created: 50, deleted: 0, total: 80 });
        let one = servers[0].api.events("types=component.created", 80).await;
        assert_eq!(one, servers[1].api.events("types=component.created", 80).await);
        sound(&database);
        for server in servers {
            server.stop();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_past_the_service_moves_the_gauge_alone() {
    for database in TestDatabase::each() {
        let server = Server::start(&database);
        server.api.create(&json!({"name": "stays"})).await;
        server.api.create(&json!({"name": "goes"})).await;
        database.shell("INSERT INTO component (name) VALUES ('smuggled'), ('smuggled too')");
        assert_eq!(shown(&server).await, Shown { created: 2, deleted: 0, total: 4 });
        database.shell("DELETE FROM component WHERE name = 'goes'");
        assert_eq!(shown(&server).await, Shown { created: 2, deleted: 0, total: 3 });
        let report = run(&database, &["check"]);
        assert_eq!(report.code, 1);
        let named = |text: &str| assert!(report.stdout.contains(text), "{text}: {}", report.stdout);
        named("(\"smuggled\") has no event");
        named("(\"smuggled too\") has no event");
        named("deleted past the service");
        // They are rows like any other to those who read.
        let (status, list) = server.api.get("/api/v1/components?name=smuggled").await;
        assert_eq!((status, list["total"].as_u64()), (StatusCode::OK, Some(1)));
        server.stop();
    }
}

/// A scrape does not wait for a lock that another process holds on the database's writes.
#[tokio::test(flavor = "multi_thread")]
async fn a_scrape_answers_while_the_database_is_locked() {
    /// How long the other process holds the lock.
    const HELD: Duration = Duration::from_secs(5);
    /// What the scraper says it waits, and waits.
    const SCRAPE_TIMEOUT: Duration = Duration::from_secs(2);
    for database in TestDatabase::each() {
        let server = Server::start(&database);
        server.api.create(&json!({"name": "a"})).await;
        let lock = WriteLock::take(&database);
        assert_eq!(shown(&server).await, Shown { created: 1, deleted: 0, total: 1 });
        // A write waits meanwhile, and is carried out when the lock is gone.
        let api = server.api.clone();
        let write = tokio::spawn(async move { api.create(&json!({"name": "b"})).await });
        let since = Instant::now();
        let mut scrapes = 0;
        while scrapes < 10 || since.elapsed() < HELD {
            let scrape = reqwest::Client::new()
                .get(format!("{}/metrics/", server.base))
                .header("X-Prometheus-Scrape-Timeout-Seconds", SCRAPE_TIMEOUT.as_secs())
                .timeout(SCRAPE_TIMEOUT)
                .send()
                .await
                .unwrap();
            assert_eq!(scrape.status(), 200);
            let scrape = scrape.text().await.unwrap();
            assert_eq!(metric(&scrape, "inventory_components_total").to_bits(), 1_f64.to_bits());
            scrapes += 1;
        }
        lock.release();
        write.await.unwrap();
        assert_eq!(shown(&server).await, Shown { created: 2, deleted: 0, total: 2 });
        server.stop();
    }
}
