//! The components that the rows of a file may be about.

use inventory_core::Component;
use inventory_store::{ReadError, Store};

use crate::Row;

/// How many components are looked up at once.
const AT_ONCE: usize = 500;

/// The components that have the id or the sku of a row, each once. `progress` hears how many ids and skus were
/// looked up.
pub async fn existing(
    store: &Store,
    rows: &[Row],
    mut progress: impl FnMut(usize),
) -> Result<Vec<Component>, ReadError> {
    let ids: Vec<_> = rows.iter().filter_map(|row| row.id).collect();
    let skus: Vec<_> = rows.iter().filter_map(|row| row.sku.clone()).collect();
    let mut found = Vec::new();
    for ids in ids.chunks(AT_ONCE) {
        found.extend(store.components_by_id(ids).await?);
        progress(ids.len());
    }
    for skus in skus.chunks(AT_ONCE) {
        found.extend(store.components_by_sku(skus).await?);
        progress(skus.len());
    }
    found.sort_by_key(|component| component.id);
    found.dedup_by_key(|component| component.id);
    Ok(found)
}
