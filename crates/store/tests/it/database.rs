//! A database of a test's own.

use std::{future::Future, time::Duration};

use inventory_core::{Actor, Component, EventEnvelope, Seq, Subscription};
use inventory_store::{ComponentOperation, Config, OperationResult, Store, WriteContext};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

/// How long anything may take before a test gives up on it. No test depends on it otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// An empty database, dropped with this.
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    directory: Option<TempDir>,
}

impl TestDatabase {
    pub(crate) fn sqlite() -> Self {
        let directory = TempDir::new().unwrap();
        let url = format!("sqlite:{}", directory.path().join("inventory.db").display());
        Self { url, directory: Some(directory) }
    }

    /// `None`, and a line that says so, where there is no server.
    pub(crate) async fn postgres() -> Option<Self> {
        let server = std::env::var("INVENTORY_TEST_POSTGRES_URL")
            .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:5432".to_owned());
        let name = format!("inventory_test_{}", Uuid::now_v7().simple());
        let admin = match Database::connect(format!("{server}/postgres")).await {
            Ok(admin) => admin,
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "PostgreSQL is needed where CI is set: {error}");
                eprintln!("SKIPPED: no PostgreSQL at {server}");
                return None;
            }
        };
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        Some(Self { url: format!("{server}/{name}"), directory: None })
    }

    /// A connection past the store, as a person at a database shell has one.
    pub(crate) async fn shell(&self) -> DatabaseConnection {
        Database::connect(&self.url).await.unwrap()
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(self.config()).await.unwrap()
    }

    pub(crate) fn config(&self) -> Config {
        Config { poll: Duration::from_millis(20), ..Config::new(&self.url) }
    }

    pub(crate) async fn drop_database(self) {
        if self.directory.is_none()
            && let Some((server, name)) = self.url.rsplit_once('/')
        {
            let admin = Database::connect(format!("{server}/postgres")).await.unwrap();
            admin.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
        }
    }
}

/// Runs a test on both databases.
pub(crate) async fn on_both<F: Future<Output = ()>>(test: impl Fn(&'static TestDatabase) -> F) {
    let databases = [Some(TestDatabase::sqlite()), TestDatabase::postgres().await];
    for database in databases.into_iter().flatten() {
        // Leaked for the length of the test, so that tasks may hold it.
        let database: &'static TestDatabase = Box::leak(Box::new(database));
        tokio::time::timeout(PATIENCE * 3, test(database)).await.expect("the test takes too long");
        let copy = TestDatabase { url: database.url.clone(), directory: None };
        if database.directory.is_none() {
            copy.drop_database().await;
        } else if let Some(directory) = &database.directory {
            std::fs::remove_dir_all(directory.path()).unwrap();
        }
    }
}

pub(crate) fn new(value: Value) -> ComponentOperation {
    ComponentOperation::Create(Box::new(inventory_core::NewComponent::from_json(value).unwrap()))
}

pub(crate) fn patch(value: Value) -> Box<inventory_core::ComponentPatch> {
    Box::new(inventory_core::ComponentPatch::from_json(value).unwrap())
}

pub(crate) async fn create(store: &Store, value: Value) -> Component {
    let written = store.write_one(new(value), WriteContext::new(Actor::cli())).await.unwrap();
    let OperationResult::Created(component) = &written.result else { panic!("{written:?}") };
    (**component).clone()
}

/// The next events of a subscription.
pub(crate) async fn take(subscription: &mut Subscription, count: usize) -> Vec<EventEnvelope> {
    let mut events = Vec::new();
    while events.len() < count {
        let event = tokio::time::timeout(PATIENCE, subscription.next()).await.expect("no event came");
        events.push(event.unwrap().expect("the bus is open"));
    }
    events
}

/// Asserts that a store is sound and has the given numbers of components and events.
pub(crate) async fn assert_sound(store: &Store, components: u64, events: u64) {
    let report = store.check().await.unwrap();
    assert_eq!(report.violations, Vec::<String>::new());
    assert_eq!((report.components, report.events, report.head), (components, events, Seq(events)));
}
