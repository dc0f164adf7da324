//! The history of the database schema. It knows no entity: a migration must still run when the code has
//! moved on.
//!
//! Each migration is SQL that reads the same on SQLite and PostgreSQL but for a few words, which
//! `dialect` names.

mod dialect;
mod m20261122_000001_components_and_events;
mod m20261122_000002_component_count;
mod m20261124_000003_people;
mod m20261124_000004_search;
mod m20261124_000005_activity;
mod m20261124_000006_staged_imports;
mod m20261125_000007_filters;
mod m20261128_000008_service_records;

pub use sea_orm_migration::prelude::MigratorTrait;
use sea_orm_migration::prelude::*;

/// Every migration, oldest first.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261122_000001_components_and_events::Migration),
            Box::new(m20261122_000002_component_count::Migration),
            Box::new(m20261124_000003_people::Migration),
            Box::new(m20261124_000004_search::Migration),
            Box::new(m20261124_000005_activity::Migration),
            Box::new(m20261124_000006_staged_imports::Migration),
            Box::new(m20261125_000007_filters::Migration),
            Box::new(m20261128_000008_service_records::Migration),
        ]
    }
}
