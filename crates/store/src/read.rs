//! Rows of components as components.

use std::collections::HashMap;

use inventory_core::{Component, ComponentId, Sku};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::{
    database::Database,
    entity::component::{self, json_row},
    error::ReadError,
    reader::Bind,
    stored::StoredComponent,
};

/// How many ids one statement looks up. Each number of them is a statement of its own, to be kept prepared.
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
        let places: Vec<_> = (1..=ids.len()).map(|place| format!("${place}")).collect();
        let row = json_row(database.backend());
        let sql = format!("SELECT {row}, id FROM component WHERE id IN ({})", places.join(", "));
        let found = database.hot.rows::<Uuid>(sql, ids.iter().copied().map(Bind::Id).collect()).await?;
        rows.extend(found.into_iter().map(|(row, id)| (id, StoredComponent::new(row))));
    }
    Ok(rows)
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
