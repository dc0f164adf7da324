//! The tables. Nobody outside this crate sees them.

pub(crate) mod component;
pub(crate) mod event_head;
pub(crate) mod event_log;
pub(crate) mod idempotency_key;
pub(crate) mod token;
