//! `/api/v1/components`: the components over HTTP.

mod batch;
mod batch_body;
mod batch_schema;
mod cursor;
mod fields;
mod list;
mod one;
mod parameter;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::AppState;

/// Where the components are.
const PATH: &str = "/api/v1/components";
/// Where one component is.
const ONE_PATH: &str = "/api/v1/components/{id}";
/// Where many changes are made at once.
const BATCH_PATH: &str = "/api/v1/components/batch";

/// The routes of the components.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::list, one::create))
        .routes(routes!(one::read, one::update, one::delete))
        .routes(routes!(batch::batch))
}
