//! The tables. Nobody outside this crate sees them.

pub(crate) mod component;
pub(crate) mod event_head;
pub(crate) mod event_log;
pub(crate) mod idempotency_key;
pub(crate) mod staged_file;
pub(crate) mod staged_import;
pub(crate) mod staged_row;
pub(crate) mod token;
pub(crate) mod token_use;
pub(crate) mod user_account;
pub(crate) mod user_session;
