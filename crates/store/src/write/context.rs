//! The context of a change, and its pending events.

use std::sync::Arc;

use inventory_core::{Actor, Event};
use time::OffsetDateTime;

/// The actor of a change, its request, and its time.
#[derive(Debug, Clone)]
pub(crate) struct ChangeContext {
    pub(crate) actor: Actor,
    /// The W3C `traceparent` of the request.
    pub(crate) trace: Option<Arc<str>>,
    pub(crate) at: OffsetDateTime,
    /// The minimum version that a changed row may get.
    pub(crate) version_floor: u64,
}

/// An event without a sequence number. The number is assigned just before the commit.
#[derive(Debug)]
pub(crate) struct PendingEvent {
    pub(crate) event: Event,
    /// The event as JSON, if it was serialised in advance.
    pub(crate) data: Option<String>,
    pub(crate) context: ChangeContext,
}

impl PendingEvent {
    pub(crate) fn new(event: impl Into<Event>, context: &ChangeContext) -> Self {
        Self { event: event.into(), data: None, context: context.clone() }
    }
}
