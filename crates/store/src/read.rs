//! Rows of components as components.

use inventory_core::{Component, Sku};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::{database::Database, entity::component, error::ReadError};

/// How many skus one statement looks up.
const SKUS_PER_STATEMENT: usize = 500;

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

/// A row that was selected as [`json_row`].
pub(crate) fn component(row: &str) -> Result<Component, ReadError> {
    component::Model::from_json(row)?.try_into()
}

/// Rows that were selected as [`json_row`], in a JSON array.
pub(crate) fn components(rows: &str) -> Result<Vec<Component>, ReadError> {
    let rows: Vec<component::Model> =
        serde_json::from_str(rows).map_err(|error| ReadError::Corrupt(error.to_string()))?;
    rows.into_iter().map(Component::try_from).collect()
}
