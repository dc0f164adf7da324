//! The browsers in which a user is signed in, as pages list them.

use std::sync::Arc;

use inventory_core::{SessionId, User};
use inventory_store::{Session, Store};

use crate::{failure::Failure, format::Moment, user_agent::agent};

/// How many sessions of a user a page lists: the newest.
const MAX_LISTED: usize = 50;

/// A browser in which someone is signed in.
pub(crate) struct Browser {
    pub(crate) id: SessionId,
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) since: Moment,
    pub(crate) seen: Moment,
    /// Whether it is the one that asks.
    pub(crate) is_this: bool,
}

/// The browsers of a user, the one that signed in last first. `this` is the session that asks.
pub(crate) async fn of(store: &Store, user: &User, this: SessionId) -> Result<Vec<Browser>, Failure> {
    let sessions = store.sessions().list(&Arc::new(user.clone())).await?;
    let browser = |session: Session| Browser {
        id: session.id,
        name: agent(&session.agent),
        address: session.address.to_string(),
        since: Moment(session.created_at),
        seen: Moment(session.seen_at),
        is_this: session.id == this,
    };
    Ok(sessions.into_iter().map(browser).take(MAX_LISTED).collect())
}
