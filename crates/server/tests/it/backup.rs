//! `inventory backup` and `inventory restore`: a copy holds what was acknowledged, and clients learn of a restore.

use std::{fs, path::Path, process::Command, sync::Arc};

use inventory_testing::Acknowledged;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    command::{Run, run},
    database::TestDatabase,
    faults::{check, create_batch, create_until},
    server::Server,
};

fn succeed(run: &Run) {
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

fn refuse(run: &Run, reason: &str) {
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains(reason), "{}", run.stderr);
}

fn backup(database: &TestDatabase, file: &Path) -> Run {
    run(database, &["backup", file.to_str().unwrap()])
}

fn restore(database: &TestDatabase, file: &Path) -> Run {
    run(database, &["restore", file.to_str().unwrap()])
}

/// Changes a component that is at a version.
async fn rename(server: &Server, id: &str, tag: &str, name: &str) -> (StatusCode, Value) {
    let request = server.api.request(Method::PATCH, &format!("/api/v1/components/{id}"));
    server.api.send(request.header("If-Match", tag).json(&json!({ "name": name }))).await
}

/// An entity tag from before a restore must not match a component that has changed since.
async fn old_tags_match_nothing(server: &Server, id: &str) {
    let (status, changed) = rename(server, id, "\"1\"", "changed after the restore").await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    for old in 2..6 {
        let (status, problem) = rename(server, id, &format!("\"{old}\""), "lost update").await;
        assert_eq!(status, StatusCode::PRECONDITION_FAILED, "tag {old}: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_beside_a_running_server_holds_what_was_acknowledged() {
    let database = TestDatabase::sqlite();
    let server = Server::start(&database);
    let mut before = Acknowledged::default();
    for _ in 0..20 {
        create_batch(&server, &mut before).await;
    }
    let stop = Arc::default();
    let mut clients = JoinSet::new();
    for _ in 0..4 {
        clients.spawn(create_until(server.api.clone(), Arc::clone(&stop)));
    }
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("backup.db");
    let done = backup(&database, &file);
    succeed(&done);
    assert!(done.stdout.contains("verified"), "{}", done.stdout);
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut acknowledged = before.clone();
    for told in clients.join_all().await {
        acknowledged.merge(told);
    }
    check(&database, &[&server], &mut acknowledged, None).await;
    server.stop();
    // The copy is a complete database, from a moment between the first write and the last.
    let copy = TestDatabase::sqlite_in(&folder.path().join("elsewhere"));
    fs::create_dir(folder.path().join("elsewhere")).unwrap();
    fs::copy(&file, copy.file()).unwrap();
    before.unanswered(acknowledged.count() as u64);
    let server = Server::start(&copy);
    check(&copy, &[&server], &mut before, None).await;
    server.stop();
    // The time of it is a metric, of the database and not of a process.
    let server = Server::start(&database);
    let give_up = std::time::Instant::now() + crate::server::PATIENCE;
    while server.api.metric("inventory_backup_last_success_timestamp_seconds").await < 1e9 {
        assert!(std::time::Instant::now() < give_up);
    }
    server.stop();
    refuse(&backup(&database, &file), "--overwrite");
    refuse(&restore(&database, &folder.path().join("nothing.db")), "there is no file");
    succeed(&run(&database, &["backup", "--overwrite", file.to_str().unwrap()]));
    refuse(&backup(&database, &database.file()), "is the database itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_is_sound_and_no_entity_tag_from_before_matches_a_change_after_it() {
    let database = TestDatabase::sqlite();
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("backup.db");
    let server = Server::start(&database);
    let mut acknowledged = Acknowledged::default();
    create_batch(&server, &mut acknowledged).await;
    let (id, _) = acknowledged.any_stored().unwrap();
    succeed(&backup(&database, &file));
    for version in 1..5 {
        let (status, _) = rename(&server, &id, &format!("\"{version}\""), &format!("name {version}")).await;
        assert_eq!(status, StatusCode::OK);
    }
    refuse(&restore(&database, &file), "stop the server first");
    // A log is left beside the file.
    server.kill();
    assert!(fs::metadata(database.file().with_extension("db-wal")).unwrap().len() > 0);
    let epoch = database.shell("SELECT epoch FROM event_head");
    let done = restore(&database, &file);
    succeed(&done);
    assert_ne!(database.shell("SELECT epoch FROM event_head"), epoch);
    let kept = fs::read_dir(database.file().parent().unwrap()).unwrap();
    let kept = kept
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains(".before-restore-"));
    assert_eq!(kept.count(), 1, "{}", done.stdout);
    let server = Server::start(&database);
    check(&database, &[&server], &mut acknowledged, None).await;
    old_tags_match_nothing(&server, &id).await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_is_refused_and_a_damaged_database_can_be_replaced() {
    let database = TestDatabase::sqlite();
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("backup.db");
    let server = Server::start(&database);
    let mut acknowledged = Acknowledged::default();
    create_batch(&server, &mut acknowledged).await;
    server.stop();
    succeed(&backup(&database, &file));
    let sound = fs::read(&file).unwrap();
    let mut damaged = sound.clone();
    for byte in damaged.iter_mut().skip(40 * 4096).take(8 * 4096) {
        *byte ^= 0x5a;
    }
    for bad in [&damaged[..], &sound[..sound.len() / 2], b"not a database", b""] {
        fs::write(&file, bad).unwrap();
        let before = fs::read(database.file()).unwrap();
        let refused = restore(&database, &file);
        assert_eq!(refused.code, 1, "{}", refused.stdout);
        assert_eq!(fs::read(database.file()).unwrap(), before, "the database was touched");
    }
    fs::write(&file, &sound).unwrap();
    fs::write(database.file(), &damaged).unwrap();
    succeed(&restore(&database, &file));
    let server = Server::start(&database);
    check(&database, &[&server], &mut acknowledged, None).await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_database_is_restored_from_a_dump() {
    let (Some(database), Some(restored)) = (TestDatabase::postgres(), TestDatabase::postgres()) else {
        return;
    };
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("inventory.dump");
    let server = Server::start(&database);
    let mut acknowledged = Acknowledged::default();
    create_batch(&server, &mut acknowledged).await;
    let (id, _) = acknowledged.any_stored().unwrap();
    let tool = |name: &str, args: &[&str]| {
        let output = Command::new(name).args(args).output().expect("it comes with psql");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    // As the README has it.
    tool("pg_dump", &["--format=custom", "--file", file.to_str().unwrap(), &database.url()]);
    for version in 1..5 {
        let (status, _) = rename(&server, &id, &format!("\"{version}\""), &format!("name {version}")).await;
        assert_eq!(status, StatusCode::OK);
    }
    server.stop();
    tool("pg_restore", &["--no-owner", "--dbname", &restored.url(), file.to_str().unwrap()]);
    let epoch = restored.shell("SELECT epoch FROM event_head");
    succeed(&run(&restored, &["restore"]));
    assert_ne!(restored.shell("SELECT epoch FROM event_head"), epoch);
    let server = Server::start(&restored);
    check(&restored, &[&server], &mut acknowledged, None).await;
    old_tags_match_nothing(&server, &id).await;
    server.stop();
}
