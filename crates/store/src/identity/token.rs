//! API tokens.

use std::{collections::HashMap, sync::Arc};

use inventory_core::{Actor, Scope, Scopes, Token, TokenId, UserId, from_micros};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    command::{CreateToken, ReplaceToken, RevokeToken, TokenKey},
    conflict::{TokenConflict, TokenNotFound},
    context::IdentityContext,
    secret::{hash, random_text},
    token_cache::{Authenticated, wait_out_leases},
};
use crate::{
    db::database::Database,
    entity::{token, token_use},
    error::ReadError,
    write::{WriteError, submit},
};

/// What every secret begins with, so that secret scanners and people know one.
const SECRET_PREFIX: &str = "inv_";
/// How many random bytes a secret has.
const SECRET_BYTES: usize = 32;
/// How many characters of a secret are kept to tell tokens apart: 24 random bits of its 256.
const HINT_CHARS: usize = SECRET_PREFIX.len() + 4;

/// A token that is to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What people call it: unique among the tokens that are not revoked.
    pub name: String,
    /// Whose it is; `None` for an operator's.
    pub owner: Option<UserId>,
    /// What it opens.
    pub scopes: Scopes,
    /// When it ceases to be good.
    pub expires_at: Option<OffsetDateTime>,
}

impl NewToken {
    /// An operator's token that does not expire.
    pub fn new(name: impl Into<String>, scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self { name: name.into(), owner: None, scopes: Scopes::of(scopes), expires_at: None }
    }
}

/// The token of this name that is not revoked, with its hash.
async fn active(database: &Database, name: &str) -> Result<Option<token::Model>, ReadError> {
    Ok(token::Entity::find()
        .filter(token::Column::Name.eq(name))
        .filter(token::Column::RevokedAt.is_null())
        .one(&database.reader)
        .await?)
}

/// The API tokens. See [`Store::tokens`](crate::Store::tokens).
#[derive(Debug, Clone, Copy)]
pub struct Tokens<'a>(pub(crate) &'a Arc<IdentityContext>);

impl Tokens<'_> {
    /// The longest name of a token, in bytes.
    pub const MAX_NAME_BYTES: usize = 64;

    /// The token that has this secret, with its owner, unless it is revoked, has expired, or its owner is
    /// disabled.
    pub async fn authenticate(self, secret: &str) -> Result<Option<Authenticated>, ReadError> {
        self.0.tokens.authenticate(&self.0.database, &self.0.clock, secret).await
    }

    /// Makes a token with a random secret, which is returned and kept nowhere.
    pub async fn create(
        self,
        new: NewToken,
        actor: Actor,
    ) -> Result<(Arc<Token>, String), WriteError<TokenConflict>> {
        let secret = format!("{SECRET_PREFIX}{}", random_text::<SECRET_BYTES>()?);
        let command = self.create_command(new, &secret);
        let token = submit(&self.0.writes, command, actor, None).await?;
        Ok((token, secret))
    }

    /// Makes sure that there is a token of this name that opens everything with this secret, replacing another
    /// of the name. When this returns, no process on the database takes that one.
    pub async fn ensure(
        self,
        name: &str,
        secret: &str,
        actor: Actor,
    ) -> Result<Arc<Token>, WriteError<TokenConflict>> {
        let new = NewToken::new(name, [Scope::Admin]);
        // Again where another process was faster: it may have made the same token.
        loop {
            let command = self.create_command(new.clone(), secret);
            match active(&self.0.database, name).await? {
                Some(row) if row.hash == hash(secret) && row.scopes == new.scopes.to_string() => {
                    return Ok(Arc::new(Token::try_from(row)?));
                }
                Some(row) => {
                    let replace = ReplaceToken { current: TokenId(row.id), new: command };
                    match submit(&self.0.writes, replace, actor.clone(), None).await {
                        Ok(token) => {
                            wait_out_leases().await;
                            return Ok(token);
                        }
                        Err(WriteError::Conflict(TokenConflict::NameTaken(_))) => {}
                        Err(error) => return Err(error),
                    }
                }
                None => match submit(&self.0.writes, command, actor.clone(), None).await {
                    Err(WriteError::Conflict(TokenConflict::NameTaken(_))) => {}
                    created => return created,
                },
            }
        }
    }

    /// Revokes a token. When this returns, no process on the database takes it.
    pub async fn revoke(
        self,
        which: TokenKey,
        actor: Actor,
    ) -> Result<Arc<Token>, WriteError<TokenNotFound>> {
        let token = submit(&self.0.writes, RevokeToken(which), actor, None).await?;
        wait_out_leases().await;
        Ok(token)
    }

    fn create_command(self, new: NewToken, secret: &str) -> CreateToken {
        let NewToken { name, owner, scopes, expires_at } = new;
        let token = Token {
            id: TokenId(Uuid::now_v7()),
            name,
            owner,
            scopes,
            hint: secret
                .strip_prefix(SECRET_PREFIX)
                .map_or_else(String::new, |_| secret.chars().take(HINT_CHARS).collect()),
            created_at: self.0.clock.now(),
            expires_at,
            revoked_at: None,
        };
        CreateToken { token: Arc::new(token), hash: hash(secret) }
    }

    /// All tokens, also revoked ones, oldest first.
    pub async fn list(self) -> Result<Vec<Token>, ReadError> {
        let rows = token::Entity::find()
            .order_by_asc(token::Column::CreatedAt)
            .order_by_asc(token::Column::Id)
            .all(&self.0.database.reader)
            .await?;
        rows.into_iter().map(Token::try_from).collect()
    }

    /// When each token was last used, to about a minute; those that never were are left out.
    pub async fn last_used(self) -> Result<HashMap<TokenId, OffsetDateTime>, ReadError> {
        let rows = token_use::Entity::find().all(&self.0.database.reader).await?;
        let written = rows.into_iter().map(|row| (TokenId(row.token_id), from_micros(row.used_at)));
        let mut uses: HashMap<_, _> = written.collect();
        uses.extend(self.0.tokens.unwritten_uses());
        Ok(uses)
    }
}
