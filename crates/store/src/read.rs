//! Reads of components.

use inventory_core::{Component, ComponentId, Sku};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryResult};

use crate::{
    database::Database,
    entity::component::{self, COLUMNS},
    error::ReadError,
};

/// How many skus one statement looks up.
const SKUS_PER_STATEMENT: usize = 500;

/// One component.
pub(crate) async fn one(database: &Database, id: ComponentId) -> Result<Option<Component>, ReadError> {
    let sql = format!("SELECT {COLUMNS} FROM component WHERE id = $1");
    let row = database.reader.query_one_raw(database.statement(&sql, [id.0.into()])).await?;
    row.as_ref().map(component).transpose()
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

/// A row that was selected as [`COLUMNS`].
pub(crate) fn component(row: &QueryResult) -> Result<Component, ReadError> {
    component::Model::from_columns(row)?.try_into()
}
