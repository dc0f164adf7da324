//! API tokens: those of the signed-in user, and for administrators those of everybody.

mod list;
mod new;
mod revoke;

use std::collections::HashMap;

use inventory_core::{Token, TokenId, UserId};
use inventory_store::Store;
use time::OffsetDateTime;

use crate::{Admin, failure::Failure, format::Moment, routes::Router};

/// Where the list is.
pub(crate) const PATH: &str = "/admin/tokens";

/// Every page about tokens.
pub(crate) fn router() -> Router<Admin> {
    Router::new().merge(list::router()).merge(new::router()).merge(revoke::router())
}

/// A token as lists show it.
pub(crate) struct Row {
    pub(crate) id: TokenId,
    pub(crate) name: String,
    pub(crate) hint: String,
    pub(crate) scopes: String,
    /// Whose it is, where that is told: an operator's has no user.
    pub(crate) owner: Option<(UserId, String)>,
    pub(crate) created: Moment,
    pub(crate) expires: Option<Moment>,
    pub(crate) used: Option<Moment>,
    pub(crate) revoked: Option<Moment>,
    /// Whether it is good for anything.
    pub(crate) is_good: bool,
}

impl Row {
    fn new(
        token: Token,
        used: &HashMap<TokenId, OffsetDateTime>,
        owners: &HashMap<UserId, String>,
        now: OffsetDateTime,
    ) -> Self {
        let Token { id, name, owner, scopes, hint, created_at, expires_at, revoked_at } = token;
        Self {
            id,
            name,
            hint,
            scopes: scopes.to_string(),
            owner: owner.map(|owner| (owner, owners.get(&owner).cloned().unwrap_or_default())),
            created: Moment(created_at),
            expires: expires_at.map(Moment),
            used: used.get(&id).map(Moment::of),
            revoked: revoked_at.map(Moment),
            is_good: revoked_at.is_none() && expires_at.is_none_or(|expires| now < expires),
        }
    }
}

/// The good tokens of a user, the newest first, without saying whose they are.
pub(crate) async fn of(store: &Store, owner: UserId) -> Result<Vec<Row>, Failure> {
    let (used, now) = (store.tokens().last_used().await?, store.clock().now());
    let own = store.tokens().list().await?.into_iter().rev().filter(|token| token.owner == Some(owner));
    let rows = own.map(|token| Row::new(token, &used, &HashMap::new(), now));
    Ok(rows.filter(|row| row.is_good).take(list::PAGE).collect())
}
