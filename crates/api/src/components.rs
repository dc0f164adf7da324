//! `/api/v1/components`: the components over HTTP.

mod batch;
mod batch_body;
mod batch_schema;
mod conflicts;
mod cursor;
mod fields;
mod item;
mod list;
mod parameter;
mod paths;

use std::sync::Arc;

use axum::extract::FromRef;
use inventory_store::Store;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::body::BodyBudget;

/// The routes of the components.
pub(crate) fn router<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Store: FromRef<S>,
    Arc<BodyBudget>: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(list::list, item::create))
        .routes(routes!(item::read, item::update, item::delete))
        .routes(routes!(batch::batch))
}
