//! The pages about components.

pub(crate) mod bulk;
mod chip;
mod column;
mod cursor;
mod date_range;
mod dates;
mod draft;
mod export;
mod field;
mod filters;
mod form;
pub(crate) mod history;
mod inline_edit;
mod item;
mod list;
mod list_query;
mod merge;

use inventory_core::{Component, ComponentId};
use inventory_store::Store;

use crate::{Admin, failure::Failure, routes::Router};

/// Where the list is.
pub(crate) const PATH: &str = "/admin/components";

/// Every page about components.
pub(crate) fn router() -> Router<Admin> {
    Router::new()
        .merge(list::router())
        .merge(export::router())
        .merge(filters::router())
        .merge(dates::router())
        .merge(inline_edit::router())
        .merge(bulk::router())
        .merge(item::router())
        .merge(merge::router())
        .merge(history::router())
}

pub(crate) use column::inline;
pub(crate) use field::view;
pub(crate) use form::label;
pub(crate) use history::{Difference, changed, filled};

/// Where the page of a component is.
fn path(id: ComponentId) -> String {
    format!("{PATH}/{id}")
}

/// The component with this id, as an address writes it.
async fn find(store: &Store, id: &str) -> Result<Component, Failure> {
    let id = id.parse().map(ComponentId).map_err(|_| no_component())?;
    store.component(id).await?.ok_or_else(no_component)
}

fn no_component() -> Failure {
    Failure::NotFound("This component does not exist. It may have been deleted.".to_owned())
}

/// A component that was there a moment ago.
fn deleted() -> Failure {
    Failure::NotFound("The component was deleted in the meantime. Nothing was changed.".to_owned())
}
