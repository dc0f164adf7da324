//! `inventory token`

use std::{
    collections::HashMap,
    io::{Write as _, stdout},
};

use anyhow::Context as _;
use inventory_core::{Actor, Scopes, Token, UserName};
use inventory_store::{NewToken, Store, TokenKey};
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

use super::table::table;
use crate::{
    config::{self, Common},
    database::{self, Purpose},
    outcome::say,
};

/// Creates, lists or revokes API tokens.
pub(crate) async fn run(common: &Common, command: config::Token) -> anyhow::Result<()> {
    let purpose = match command {
        // A token can be created before the first start, while an installation is prepared.
        config::Token::Create { .. } => Purpose::Fill,
        config::Token::List | config::Token::Revoke { .. } => Purpose::Inspect,
    };
    let store = database::open(common, purpose).await?;
    let outcome = carry_out(&store, command).await;
    store.close().await;
    outcome
}

async fn carry_out(store: &Store, command: config::Token) -> anyhow::Result<()> {
    match command {
        config::Token::Create { name, scopes, user, expires_in_days } => {
            let owner = match &user {
                Some(user) => Some(owner(store, user).await?),
                None => None,
            };
            let now = store.clock().now();
            let expires_at = expires_in_days.map(|days| now + Duration::days(days.into()));
            let new = NewToken { name, owner, scopes: Scopes::of(scopes), expires_at };
            let (token, secret) = store.tokens().create(new, Actor::cli()).await?;
            say(&format!(
                "Created the token {} with the scopes {}. The secret is not shown again:",
                token.name, token.scopes
            ));
            writeln!(stdout(), "{secret}")?;
        }
        config::Token::List => stdout().write_all(list(store).await?.as_bytes())?,
        config::Token::Revoke { name } => {
            store.tokens().revoke(TokenKey::Name(name.clone()), Actor::cli()).await?;
            say(&format!("The token {name} is revoked."));
        }
    }
    Ok(())
}

async fn owner(store: &Store, name: &UserName) -> anyhow::Result<inventory_core::UserId> {
    let user = store.users().find_by_name(name).await?;
    Ok(user.with_context(|| format!("there is no user named \"{name}\""))?.id)
}

async fn list(store: &Store) -> anyhow::Result<String> {
    let users: HashMap<_, _> =
        store.users().list().await?.into_iter().map(|user| (user.id, user.name)).collect();
    let used = store.tokens().last_used().await?;
    let mut rows = Vec::new();
    for token in store.tokens().list().await? {
        let Token { id, name, owner, scopes, hint, created_at, expires_at, revoked_at } = token;
        let owner = owner.and_then(|owner| users.get(&owner)).map_or("-".to_owned(), ToString::to_string);
        let hint = if hint.is_empty() { "-".to_owned() } else { format!("{hint}…") };
        let last_used = used.get(&id).copied();
        rows.push([
            name,
            owner,
            scopes.to_string(),
            hint,
            seconds(created_at)?,
            or_dash(expires_at)?,
            or_dash(last_used)?,
            or_dash(revoked_at)?,
        ]);
    }
    Ok(table(["NAME", "OWNER", "SCOPES", "SECRET", "CREATED", "EXPIRES", "LAST USED", "REVOKED"], rows))
}

fn or_dash(at: Option<OffsetDateTime>) -> Result<String, time::error::Format> {
    at.map_or(Ok("-".to_owned()), seconds)
}

/// A time to the second.
pub(crate) fn seconds(at: OffsetDateTime) -> Result<String, time::error::Format> {
    at.truncate_to_second().format(&Rfc3339)
}
