//! An older release on a database that a later one has migrated.

use crate::{
    command::run,
    database::TestDatabase,
    server::{Server, TOKEN},
};

const MIGRATION: &str = "m20991231_000001_from_the_future";
const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// Has a later release migrate the database, which says what the oldest release is that can work with it.
fn migrate_later(database: &TestDatabase, oldest_release: &str) {
    database.shell(&format!(
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('{MIGRATION}', 4102444800);
         INSERT INTO migration_compatibility (migration, oldest_release) VALUES ('{MIGRATION}', '{oldest_release}')"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_serves_and_checks_what_a_later_one_migrated_for_it_too() {
    for database in TestDatabase::each() {
        run(&database, &["migrate"]).ok();
        migrate_later(&database, RELEASE);
        let server = Server::start(&database);
        server.api.create(&serde_json::json!({"name": "a"})).await;
        server.log_with("later release");
        server.stop();
        let report = run(&database, &["check"]).ok();
        assert!(report.contains("Every invariant holds"), "{report}");
        run(&database, &["migrate"]).ok();
    }
}

#[test]
fn a_release_that_cannot_work_with_the_schema_names_the_one_that_can() {
    for database in TestDatabase::each() {
        run(&database, &["migrate"]).ok();
        migrate_later(&database, "99.1.0");
        for args in
            [&["serve", "--listen", "127.0.0.1:0", "--bootstrap-token", TOKEN][..], &["check"], &["migrate"]]
        {
            let complaint = run(&database, args).failed(1);
            let sentence =
                format!("this is release {RELEASE}, and the database needs release 99.1.0 or later");
            let last = complaint.lines().last().unwrap_or_default();
            assert!(last.contains(&sentence), "{complaint}");
        }
    }
}

#[test]
fn a_migration_that_declares_nothing_is_refused_by_name() {
    for database in TestDatabase::each() {
        run(&database, &["migrate"]).ok();
        migrate_later(&database, RELEASE);
        database.shell(&format!("DELETE FROM migration_compatibility WHERE migration = '{MIGRATION}'"));
        let complaint = run(&database, &["check"]).failed(1);
        assert!(complaint.contains(MIGRATION) && complaint.contains(RELEASE), "{complaint}");
    }
}

#[test]
fn every_migration_that_is_applied_declares_which_release_can_work_with_it() {
    for database in TestDatabase::each() {
        run(&database, &["migrate"]).ok();
        let undeclared = "SELECT count(*) FROM seaql_migrations WHERE version NOT IN \
                          (SELECT migration FROM migration_compatibility WHERE oldest_release <> '')";
        assert_eq!(database.shell(undeclared), "0");
        assert_ne!(database.shell("SELECT count(*) FROM migration_compatibility"), "0");
    }
}
