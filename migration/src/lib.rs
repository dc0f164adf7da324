//! The history of the database schema. It knows no entity: a migration must still run when the code has
//! moved on.
//!
//! Each migration is SQL that reads the same on SQLite and PostgreSQL but for a few words, which
//! `dialect` names.

mod compatibility;
mod dialect;
mod m20261122_000001_components_and_events;
mod m20261122_000002_component_count;
mod m20261124_000003_people;
mod m20261124_000004_search;
mod m20261124_000005_activity;
mod m20261124_000006_staged_imports;
mod m20261125_000007_filters;
mod m20261128_000008_service_records;
mod m20261128_000009_compatibility;
mod m20261128_000010_search_end;

pub use compatibility::{RELEASE, Schema, inspect, migrate};
use sea_orm_migration::prelude::*;

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        history().into_iter().map(|(migration, _)| migration).collect()
    }
}

/// Every migration, oldest first, each with the oldest release that can work with the schema after it. That is the
/// release before the migration's own where that one still finds all it needs, so that an upgrade can be taken back and
/// replicas of both releases can run side by side; otherwise it is the migration's own.
fn history() -> Vec<(Box<dyn MigrationTrait>, &'static str)> {
    vec![
        (Box::new(m20261122_000001_components_and_events::Migration), "0.1.0"),
        (Box::new(m20261122_000002_component_count::Migration), "0.1.0"),
        (Box::new(m20261124_000003_people::Migration), "0.1.0"),
        (Box::new(m20261124_000004_search::Migration), "0.1.0"),
        (Box::new(m20261124_000005_activity::Migration), "0.1.0"),
        (Box::new(m20261124_000006_staged_imports::Migration), "0.1.0"),
        (Box::new(m20261125_000007_filters::Migration), "0.1.0"),
        (Box::new(m20261128_000008_service_records::Migration), "0.1.0"),
        (Box::new(m20261128_000009_compatibility::Migration), "0.1.0"),
        (Box::new(m20261128_000010_search_end::Migration), "0.1.0"),
    ]
}
