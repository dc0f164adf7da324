//! The pages about components.

mod asked;
pub(crate) mod bulk;
mod cell;
mod chip;
mod column;
mod dates;
mod draft;
mod export;
mod filters;
mod form;
pub(crate) mod history;
mod list;
mod merge;
mod one;
mod place;
mod span;

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
        .merge(cell::router())
        .merge(bulk::router())
        .merge(one::router())
        .merge(merge::router())
        .merge(history::router())
}

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
    Failure::NotFound("There is no such component. It may have been deleted.".to_owned())
}

/// A component that was there a moment ago.
fn deleted() -> Failure {
    Failure::NotFound("The component was deleted in the meantime. Nothing was changed.".to_owned())
}
