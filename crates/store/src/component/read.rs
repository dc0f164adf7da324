//! Rows of components as components.

use std::{collections::HashMap, fmt::Write, sync::LazyLock};

use inventory_core::{Component, ComponentId, Sku};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::{
    component::row::StoredComponent,
    db::{Bind, database::Database},
    entity::component::{self, json_row},
    error::ReadError,
};

/// Maximum number of ids that one statement looks up. Each number of ids is a separate prepared statement.
pub(crate) const IDS_PER_STATEMENT: usize = 64;
/// How many skus one statement looks up.
const SKUS_PER_STATEMENT: usize = 500;

/// The rows of these components, by id.
pub(crate) async fn by_id(
    database: &Database,
    ids: Vec<Uuid>,
) -> Result<HashMap<Uuid, StoredComponent>, ReadError> {
    let mut rows = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(IDS_PER_STATEMENT) {
        let binds = ids.iter().copied().map(Bind::Id).collect();
        let found = database.hot.rows::<Uuid>(select_by_id(database.backend(), ids.len()), binds).await?;
        rows.extend(found.into_iter().map(|(row, id)| (id, StoredComponent::new(row))));
    }
    Ok(rows)
}

/// The statement that selects the rows of `count` components. Only its end depends on `count`, since a
/// statement is built for each batch of lookups.
fn select_by_id(backend: DbBackend, count: usize) -> String {
    static ON_SQLITE: LazyLock<String> = LazyLock::new(|| select_rows(DbBackend::Sqlite));
    static ON_POSTGRES: LazyLock<String> = LazyLock::new(|| select_rows(DbBackend::Postgres));
    let beginning = if backend == DbBackend::Sqlite { &*ON_SQLITE } else { &*ON_POSTGRES };
    let mut sql = String::with_capacity(beginning.len() + count * ", $12".len() + 1);
    sql.push_str(beginning);
    for place in 1..=count {
        // Writing to a string does not fail.
        let _written = write!(sql, "{}${place}", if place == 1 { "" } else { ", " });
    }
    sql.push(')');
    sql
}

fn select_rows(backend: DbBackend) -> String {
    format!("SELECT {}, id FROM component WHERE id IN (", json_row(backend))
}

/// The components that have one of these ids.
pub(crate) async fn components(
    database: &Database,
    ids: &[ComponentId],
) -> Result<Vec<Component>, ReadError> {
    let rows = by_id(database, ids.iter().map(|id| id.0).collect()).await?;
    rows.values().map(StoredComponent::component).collect()
}

/// The components that have one of these skus.
pub(crate) async fn by_sku(database: &Database, skus: &[Sku]) -> Result<Vec<Component>, ReadError> {
    let mut components = Vec::with_capacity(skus.len());
    for skus in skus.chunks(SKUS_PER_STATEMENT) {
        let rows = component::Entity::find()
            .filter(component::Column::Sku.is_in(skus.iter().map(Sku::as_str)))
            .all(&database.reader)
            .await?;
        for row in rows {
            components.push(row.try_into()?);
        }
    }
    Ok(components)
}
