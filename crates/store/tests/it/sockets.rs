//! Options of the TCP sockets to PostgreSQL.

use std::{collections::BTreeSet, net::SocketAddr};

use rustix::{
    net::{getsockname, sockopt},
    process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open},
};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::json;

use crate::database::{TestDatabase, create};

#[tokio::test]
async fn every_socket_to_postgres_sends_without_delay_and_is_kept_alive() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let store = database.open().await;
    // Some reads at once, so that there are several connections.
    let component = create(&store, json!({"name": "a"})).await;
    let reads = (0..20).map(|_| store.component(component.id));
    futures::future::join_all(reads).await;
    let shell = database.shell().await;
    let sql = "SELECT client_port FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'inventory' AND client_port > 0";
    let rows = shell.query_all_raw(Statement::from_string(shell.get_database_backend(), sql)).await.unwrap();
    let ports: BTreeSet<u16> =
        rows.iter().map(|row| u16::try_from(row.try_get_by_index::<i32>(0).unwrap()).unwrap()).collect();
    assert!(ports.len() >= 3, "{ports:?}");
    let this = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let mut seen = BTreeSet::new();
    for entry in std::fs::read_dir("/proc/self/fd").unwrap() {
        let number = entry.unwrap().file_name().to_str().unwrap().parse().unwrap();
        let Ok(socket) = pidfd_getfd(&this, number, PidfdGetfdFlags::empty()) else { continue };
        let Ok(address) = getsockname(&socket) else { continue };
        let Ok(address) = SocketAddr::try_from(address) else { continue };
        if ports.contains(&address.port()) {
            assert!(sockopt::tcp_nodelay(&socket).unwrap(), "{address}");
            assert!(sockopt::socket_keepalive(&socket).unwrap(), "{address}");
            seen.insert(address.port());
        }
    }
    assert_eq!(seen, ports);
    drop(shell);
    store.close().await;
    database.drop_database().await;
}
