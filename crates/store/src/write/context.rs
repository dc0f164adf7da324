//! Who makes a change, and the events of it.

use std::sync::Arc;

use inventory_core::{Actor, Event};
use time::OffsetDateTime;

/// Who makes a change, in which request, and when.
#[derive(Debug, Clone)]
pub(crate) struct ChangeContext {
    pub(crate) actor: Actor,
    /// The W3C `traceparent` of the request.
    pub(crate) trace: Option<Arc<str>>,
    pub(crate) at: OffsetDateTime,
    /// The least version that a changed row may get.
    pub(crate) version_floor: u64,
}

/// An event without a sequence number. It gets one right before the commit.
#[derive(Debug)]
pub(crate) struct PendingEvent {
    pub(crate) event: Event,
    /// The event as JSON, where it was serialised before.
    pub(crate) data: Option<String>,
    pub(crate) context: ChangeContext,
}

impl PendingEvent {
    pub(crate) fn new(event: impl Into<Event>, context: &ChangeContext) -> Self {
        Self { event: event.into(), data: None, context: context.clone() }
    }
}
