//! What users, tokens and sessions share.

use std::sync::Arc;

use inventory_core::Clock;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{password::Passwords, refusals::Refusals, token_cache::TokenCache};
use crate::{db::database::Database, write::WriteQueue};

#[derive(Debug)]
pub(crate) struct IdentityContext {
    pub(crate) database: Database,
    pub(crate) writes: WriteQueue,
    pub(crate) clock: Clock,
    pub(crate) tokens: TokenCache,
    pub(crate) passwords: Passwords,
    pub(crate) refusals: Refusals,
    /// Held while it is written down that a session was seen.
    pub(crate) seeing: Arc<Semaphore>,
    /// The store is being closed.
    pub(crate) stop: CancellationToken,
}
