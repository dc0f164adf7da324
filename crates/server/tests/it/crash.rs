//! `kill -9` under load: what was answered is there, and rows, events and counters agree.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use inventory_testing::Acknowledged;
use tokio::task::JoinSet;

use crate::{database::TestDatabase, faults::check, load::mixed_writes, server::Server};

const CLIENTS: u64 = 4;

async fn kill_and_look(database: &TestDatabase, rounds: u64) {
    let mut acknowledged = Acknowledged::default();
    let mut server = Server::start(database);
    for round in 0..rounds {
        let stop = Arc::<AtomicBool>::default();
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            clients.spawn(mixed_writes(server.api.clone(), round * CLIENTS + client, Arc::clone(&stop)));
        }
        // The moment of the kill is what varies; nothing is waited for.
        let moment = fastrand::Rng::with_seed(round).u64(1..250);
        tokio::time::sleep(Duration::from_millis(moment)).await;
        server.kill();
        stop.store(true, Ordering::Relaxed);
        for told in clients.join_all().await {
            acknowledged.merge(told);
        }
        server = Server::start(database);
        check(database, &[&server], &mut acknowledged, None).await;
    }
    server.stop();
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
