//! Faults of disk, database and network: whatever was acknowledged is there afterwards.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use inventory_testing::{Acknowledged, Checker, Endpoint, Fault, Proxy, SmallDisk, StreamReader};
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    command::{inventory, run},
    database::{TestDatabase, WriteLock},
    server::{Api, PATIENCE, Server, TOKEN, client},
};

/// How many components one batch creates.
const BATCH: u64 = 100;

/// Creates components in batches until one is refused for good, and returns its status.
async fn create_until_refused(server: &Server, acknowledged: &mut Acknowledged) -> StatusCode {
    loop {
        let status = create_batch(server, acknowledged).await;
        if status != StatusCode::OK {
            return status;
        }
    }
}

pub(crate) async fn create_batch(server: &Server, acknowledged: &mut Acknowledged) -> StatusCode {
    let operations: Vec<_> = (0..BATCH)
        .map(|number| json!({"op": "create", "component": {"name": format!("part {number}"), "notes": "x".repeat(200)}}))
        .collect();
    let (status, body) =
        server.api.post("/api/v1/components/batch", &json!({ "operations": operations })).await;
    match status {
        StatusCode::OK => {
            for result in body["results"].as_array().unwrap() {
                acknowledged.stored(result["component"]["id"].as_str().unwrap(), 1);
            }
        }
        _ if outcome_is_open(&body) => acknowledged.unanswered(BATCH),
        _ => {}
    }
    status
}

fn outcome_is_open(problem: &Value) -> bool {
    problem["type"].as_str().is_some_and(|kind| kind.ends_with("/outcome-unknown"))
}

/// Holds everything against everything, through a service that runs.
pub(crate) async fn check(
    database: &TestDatabase,
    servers: &[&Server],
    acknowledged: &mut Acknowledged,
    stream: Option<&StreamReader>,
) {
    let services: Vec<_> = servers
        .iter()
        .map(|server| Endpoint { base: server.base.clone(), token: TOKEN.to_owned() })
        .collect();
    let shell = |sql: &str| database.shell(sql);
    let sqlite = matches!(database, TestDatabase::Sqlite { .. });
    Checker { services: &services, shell: &shell, sqlite }.check(acknowledged, stream).await;
    let report = run(database, &["check"]);
    assert_eq!(report.code, 0, "{}{}", report.stdout, report.stderr);
}

pub(crate) fn follow(server: &Server) -> StreamReader {
    StreamReader::start(server.api.client.clone(), Arc::new(Mutex::new(server.base.clone())), TOKEN)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_on_sqlite() {
    for level in 0..10 {
        let Some(disk) = SmallDisk::mount(3 << 20) else { return };
        let database = TestDatabase::sqlite_in(disk.path());
        let server = Server::start(&database);
        let stream = follow(&server);
        let mut acknowledged = Acknowledged::default();
        // Another fill level each time, so that another page of another statement is the first without room.
        disk.fill_up_to((1 << 20) + level * 37 * 1024);
        let refused = create_until_refused(&server, &mut acknowledged).await;
        assert_eq!(refused, StatusCode::SERVICE_UNAVAILABLE, "level {level}");
        disk.resize(200 << 20);
        for _ in 0..3 {
            assert_eq!(create_batch(&server, &mut acknowledged).await, StatusCode::OK, "level {level}");
        }
        check(&database, &[&server], &mut acknowledged, Some(&stream)).await;
        drop(stream);
        server.stop();
        let server = Server::start(&database);
        check(&database, &[&server], &mut acknowledged, None).await;
        server.stop();
    }
}

/// The libraries of libfiu, by which calls of a process fail.
pub(crate) const FIU: &str = "/usr/lib/fiu";

/// A server whose calls of the C library fail on demand. `None`, and a line that says so, where libfiu is missing.
fn server_with_io_errors(database: &TestDatabase, folder: &Path) -> Option<Server> {
    if !Path::new(FIU).exists() || Command::new("fiu-ctrl").arg("-h").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "fiu-utils is needed where CI is set");
        eprintln!("SKIPPED: there is no fiu-utils");
        return None;
    }
    let mut command = inventory();
    command
        .env("INVENTORY_DATABASE_URL", database.url())
        .env("INVENTORY_LISTEN", "127.0.0.1:0")
        .env("INVENTORY_RATE_LIMIT", "0")
        .env("INVENTORY_BOOTSTRAP_TOKEN", TOKEN)
        .env("FIU_CTRL_FIFO", folder.join("fiu"))
        .env("LD_PRELOAD", format!("{FIU}/fiu_run_preload.so {FIU}/fiu_posix_preload.so"));
    Some(Server::spawn(command))
}

/// Enables or disables failures of a server's calls.
pub(crate) fn fiu(server: &Server, folder: &Path, command: &str) {
    let status = Command::new("fiu-ctrl")
        .args(["-f", folder.join("fiu").to_str().unwrap(), "-c", command, &server.pid().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_io_error_loses_nothing_on_sqlite() {
    for call in ["posix/io/rw/pwrite", "posix/io/sync/fsync", "posix/io/rw/pread", "posix/io/rw/ftruncate"] {
        for probability in [100, 20, 5] {
            let folder = tempfile::TempDir::new().unwrap();
            let database = TestDatabase::sqlite();
            let Some(server) = server_with_io_errors(&database, folder.path()) else { return };
            let stream = follow(&server);
            let mut acknowledged = Acknowledged::default();
            create_batch(&server, &mut acknowledged).await;
            let failures =
                format!("enable_random name={call},probability={}", f64::from(probability) / 100.0);
            fiu(&server, folder.path(), &failures);
            let mut refused = 0;
            for _ in 0..20 {
                refused += u32::from(create_batch(&server, &mut acknowledged).await != StatusCode::OK);
            }
            assert!(
                refused > 0 || probability < 100 || call.ends_with("pread") || call.ends_with("ftruncate")
            );
            fiu(&server, folder.path(), &format!("disable name={call}"));
            check(&database, &[&server], &mut acknowledged, Some(&stream)).await;
            drop(stream);
            server.kill();
            let server = Server::start(&database);
            check(&database, &[&server], &mut acknowledged, None).await;
            server.stop();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_tablespace_loses_nothing_on_postgres() {
    for level in 0..10_u64 {
        let Some(disk) = SmallDisk::mount(32 << 20) else { return };
        let Some(database) = TestDatabase::postgres_in(disk.path()) else { return };
        let server = Server::start(&database);
        let stream = follow(&server);
        let mut acknowledged = Acknowledged::default();
        disk.fill_up_to((1 << 20) + level * 37 * 1024);
        let refused = create_until_refused(&server, &mut acknowledged).await;
        assert_eq!(refused, StatusCode::SERVICE_UNAVAILABLE, "level {level}");
        disk.free();
        for _ in 0..3 {
            assert_eq!(create_batch(&server, &mut acknowledged).await, StatusCode::OK, "level {level}");
        }
        check(&database, &[&server], &mut acknowledged, Some(&stream)).await;
        drop(stream);
        server.stop();
    }
}

/// Creates components one by one until told to stop.
pub(crate) async fn create_until(api: Api, stop: Arc<AtomicBool>) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    while !stop.load(Ordering::Relaxed) {
        let request = api.request(reqwest::Method::POST, "/api/v1/components").json(&json!({"name": "a"}));
        match request.send().await {
            Ok(response) if response.status() == StatusCode::CREATED => {
                let location = response.headers()["location"].to_str().unwrap();
                acknowledged.stored(location.rsplit('/').next().unwrap(), 1);
            }
            Ok(response) => {
                let problem: Value = response.json().await.unwrap();
                if outcome_is_open(&problem) {
                    acknowledged.unanswered(1);
                }
            }
            Err(_) => acknowledged.unanswered(1),
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn terminated_backends_lose_nothing_on_postgres() {
    let Some(database) = TestDatabase::postgres() else { return };
    let server = Server::start(&database);
    let stream = follow(&server);
    let stop = Arc::default();
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        clients.spawn(create_until(server.api.clone(), Arc::clone(&stop)));
    }
    for _ in 0..50 {
        database.shell(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
              WHERE datname = current_database() AND application_name = 'inventory'",
        );
    }
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Acknowledged::default();
    for told in clients.join_all().await {
        acknowledged.merge(told);
    }
    assert!(acknowledged.count() > 0);
    check(&database, &[&server], &mut acknowledged, Some(&stream)).await;
    drop(stream);
    server.stop();
}

/// A proxy in front of PostgreSQL, and the URL of a database through it.
pub(crate) async fn through_a_proxy(database: &TestDatabase) -> (Proxy, String) {
    let mut url = Url::parse(&database.url()).unwrap();
    let target = url.socket_addrs(|| Some(5432)).unwrap()[0];
    let proxy = Proxy::start(target).await;
    url.set_ip_host(proxy.address.ip()).unwrap();
    url.set_port(Some(proxy.address.port())).unwrap();
    (proxy, url.to_string())
}

async fn readiness(server: &Server) -> StatusCode {
    server.api.client.get(format!("{}/readyz", server.base)).send().await.unwrap().status()
}

/// Waits until `/readyz` answers so.
async fn wait_for_readiness(server: &Server, expected: StatusCode) {
    let give_up = Instant::now() + PATIENCE;
    while readiness(server).await != expected {
        assert!(Instant::now() < give_up, "/readyz does not become {expected}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_to_postgres_are_given_up() {
    let Some(database) = TestDatabase::postgres() else { return };
    let (proxy, url) = through_a_proxy(&database).await;
    let variables = [("INVENTORY_DATABASE_URL", &*url), ("INVENTORY_BOOTSTRAP_TOKEN", TOKEN)];
    let server = Server::start_with(&database, &variables);
    let stream = follow(&server);
    let mut acknowledged = Acknowledged::default();
    create_batch(&server, &mut acknowledged).await;
    // Existing connections hang for ever, new ones work.
    proxy.strand_connections();
    check(&database, &[&server], &mut acknowledged, Some(&stream)).await;
    // Nothing works, and everything that asks is told so soon.
    proxy.set(Fault::Blackhole);
    wait_for_readiness(&server, StatusCode::SERVICE_UNAVAILABLE).await;
    let asked = Instant::now();
    for _ in 0..20 {
        assert_eq!(create_batch(&server, &mut acknowledged).await, StatusCode::SERVICE_UNAVAILABLE);
        let list = client().get(format!("{}/api/v1/components", server.base)).bearer_auth(TOKEN);
        assert_eq!(list.send().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    // Issue: within 2 s each, once `/readyz` knows.
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    proxy.set(Fault::None);
    wait_for_readiness(&server, StatusCode::OK).await;
    check(&database, &[&server], &mut acknowledged, Some(&stream)).await;
    drop(stream);
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_refused_for_waiting_is_not_carried_out() {
    const WRITERS: usize = 1_500;
    for database in TestDatabase::each() {
        let server = Server::start(&database);
        let lock = WriteLock::take(&database);
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            let api = server.api.clone();
            writers.spawn(async move { api.post("/api/v1/components", &json!({"name": "a"})).await });
        }
        for (status, problem) in writers.join_all().await {
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
            assert!(!outcome_is_open(&problem), "{problem}");
        }
        lock.release();
        check(&database, &[&server], &mut Acknowledged::default(), None).await;
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_deleted_or_replaced_is_not_written_to() {
    let database = TestDatabase::sqlite();
    let server = Server::start(&database);
    let mut acknowledged = Acknowledged::default();
    create_batch(&server, &mut acknowledged).await;
    let aside = database.file().with_extension("aside");
    for replacement in [None, Some("another file")] {
        std::fs::rename(database.file(), &aside).unwrap();
        if let Some(content) = replacement {
            std::fs::write(database.file(), content).unwrap();
        }
        let mut refused = Acknowledged::default();
        assert_eq!(create_batch(&server, &mut refused).await, StatusCode::SERVICE_UNAVAILABLE);
        wait_for_readiness(&server, StatusCode::SERVICE_UNAVAILABLE).await;
        server.log_with("the database file");
        assert!(database.file().exists() == replacement.is_some(), "the file was created again");
        std::fs::rename(&aside, database.file()).unwrap();
        wait_for_readiness(&server, StatusCode::OK).await;
        // "Nothing was changed" is true: what was refused is not in the file that is back.
        create_batch(&server, &mut acknowledged).await;
        check(&database, &[&server], &mut acknowledged, None).await;
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_an_outside_reader_let_grow_is_cut_back() {
    /// The size that the service aims at, in bytes.
    const LIMIT: u64 = 16 << 20;
    let database = TestDatabase::sqlite();
    let server = Server::start(&database);
    let wal = database.file().with_extension("db-wal");
    let size = || std::fs::metadata(&wal).unwrap().len();
    let mut reader = Command::new("sqlite3").arg(database.file()).stdin(Stdio::piped()).spawn().unwrap();
    let mut acknowledged = Acknowledged::default();
    create_batch(&server, &mut acknowledged).await;
    std::io::Write::write_all(reader.stdin.as_mut().unwrap(), b"BEGIN; SELECT count(*) FROM component;\n")
        .unwrap();
    while size() < 2 * LIMIT {
        assert_eq!(create_batch(&server, &mut acknowledged).await, StatusCode::OK);
    }
    drop(reader.stdin.take());
    reader.wait().unwrap();
    let give_up = Instant::now() + PATIENCE;
    while size() > LIMIT {
        assert!(Instant::now() < give_up, "the log stays at {} bytes", size());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    check(&database, &[&server], &mut acknowledged, None).await;
    server.stop();
}
