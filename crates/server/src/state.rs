//! What the handlers of the API share.

use std::sync::Arc;

use axum::extract::FromRef;
use inventory_api::{BodyBudget, Readiness, Streams};
use inventory_store::Store;

/// The state of the API. It is cloned for each request, so each field is one pointer.
#[derive(Debug, Clone, FromRef)]
pub(crate) struct AppState {
    pub(crate) store: Store,
    pub(crate) streams: Arc<Streams>,
    pub(crate) readiness: Readiness,
    bodies: Arc<BodyBudget>,
}

impl AppState {
    /// The state over a store, with at most `max_event_streams` open event streams.
    pub(crate) fn new(store: Store, max_event_streams: usize) -> Self {
        let streams = Arc::new(Streams::new(max_event_streams, store.epoch()));
        Self { store, streams, readiness: Readiness::default(), bodies: Arc::default() }
    }
}
