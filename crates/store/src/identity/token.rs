//! API tokens: random secrets of which the database holds the SHA-256.
//!
//! A secret has 256 random bits, so a plain hash is enough: there is nothing to guess.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use inventory_core::{Actor, Clock, Event, Scope, Scopes, Token, TokenId, User, UserId, from_micros, micros};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, sea_query::OnConflict,
};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    command::{CreateToken, ReplaceToken, RevokeToken, TokenKey, submit},
    conflict::{NoToken, TokenConflict},
};
use crate::{
    database::Database,
    entity::{token, token_use, user_account},
    error::ReadError,
    store::Store,
    write::WriteError,
};

/// What every secret begins with, so that secret scanners and people know one.
const SECRET_PREFIX: &str = "inv_";
/// How many random bytes a secret has.
const SECRET_BYTES: usize = 32;
/// How long what is known of a token may be used after the log was last looked at.
const LEASE: Duration = Duration::from_millis(500);
/// How many characters of a secret are kept to tell tokens apart: 24 random bits of its 256.
const HINT_CHARS: usize = SECRET_PREFIX.len() + 4;

/// A random text of so many bytes, in characters that need no quoting anywhere.
pub(super) fn random_text<const BYTES: usize>() -> Result<String, ReadError> {
    let mut bytes = [0; BYTES];
    // The error is the operating system's, which has no randomness to give.
    getrandom::fill(&mut bytes).map_err(|error| ReadError::Failed(format!("no randomness: {error}")))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// What the database holds of a secret.
pub(super) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

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

/// A token that was presented with its secret, is not revoked and has not expired.
#[derive(Debug, Clone, PartialEq)]
pub struct Authenticated {
    /// The token.
    pub token: Arc<Token>,
    /// Whose it is, if it is a user's.
    pub owner: Option<Arc<User>>,
}

impl Authenticated {
    /// Whether it opens what needs this scope: both the token and its owner must.
    pub fn may(&self, needed: Scope) -> bool {
        self.token.scopes.cover(needed)
            && self.owner.as_ref().is_none_or(|owner| owner.is_active() && owner.role.allows(needed))
    }

    fn is_good_at(&self, now: OffsetDateTime) -> bool {
        self.token.expires_at.is_none_or(|expires| now < expires)
            && self.owner.as_ref().is_none_or(|owner| owner.is_active())
    }
}

/// The tokens that were used of late, so that most requests are let in without asking the database.
///
/// What ends a token is an event like any other, and the tailer tells of it whichever process made it. What is
/// kept here is good for [`LEASE`] after the log was last looked at, and who ends a token waits as long before
/// it is told that it is done: from then on no process on the database takes the token, not even one that cannot
/// reach the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct TokenCache(Arc<Cached>);

#[derive(Debug, Default)]
struct Cached {
    tokens: RwLock<HashMap<[u8; 32], Authenticated>>,
    /// A moment up to which all that was committed is known here.
    current_at: Mutex<Option<Instant>>,
    /// When each was last used, until that is written down.
    used: Mutex<HashMap<TokenId, OffsetDateTime>>,
    /// Counts what was forgotten, so that a token that is revoked while it is looked up is not kept.
    forgotten: AtomicU64,
}

impl TokenCache {
    async fn authenticate(
        &self,
        database: &Database,
        clock: &Clock,
        secret: &str,
    ) -> Result<Option<Authenticated>, ReadError> {
        let hash = hash(secret);
        let now = clock.now();
        let found = match self.cached(&hash) {
            Some(cached) => Some(cached),
            // Boxed, because it is rare and its future is large.
            None => Box::pin(self.look_up(database, hash)).await?,
        };
        let good = found.filter(|found| found.is_good_at(now));
        if let Some(good) = &good {
            self.0.used.lock().unwrap_or_else(PoisonError::into_inner).insert(good.token.id, now);
        }
        Ok(good)
    }

    fn cached(&self, hash: &[u8; 32]) -> Option<Authenticated> {
        let current_at = *self.0.current_at.lock().unwrap_or_else(PoisonError::into_inner);
        if current_at.is_none_or(|at| at.elapsed() >= LEASE) {
            return None;
        }
        self.0.tokens.read().unwrap_or_else(PoisonError::into_inner).get(hash).cloned()
    }

    async fn look_up(&self, database: &Database, hash: [u8; 32]) -> Result<Option<Authenticated>, ReadError> {
        let forgotten = self.0.forgotten.load(Ordering::SeqCst);
        let row = token::Entity::find()
            .filter(token::Column::Hash.eq(hash.to_vec()))
            .filter(token::Column::RevokedAt.is_null())
            .one(&database.reader)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let token = Arc::new(Token::try_from(row)?);
        let owner = match token.owner {
            None => None,
            // Whoever is gone has no tokens any more, also where one was forgotten.
            Some(owner) => match user_account::Entity::find_by_id(owner.0).one(&database.reader).await? {
                Some(row) => Some(Arc::new(User::try_from(row)?)),
                None => return Ok(None),
            },
        };
        let found = Authenticated { token, owner };
        let mut tokens = self.0.tokens.write().unwrap_or_else(PoisonError::into_inner);
        if self.0.forgotten.load(Ordering::SeqCst) == forgotten {
            tokens.insert(hash, found.clone());
        }
        Ok(Some(found))
    }

    fn forget(&self, those: impl Fn(&Authenticated) -> bool) {
        let mut tokens = self.0.tokens.write().unwrap_or_else(PoisonError::into_inner);
        self.0.forgotten.fetch_add(1, Ordering::SeqCst);
        tokens.retain(|_, token| !those(token));
    }

    /// Hears of an event, before the bus does.
    pub(crate) fn hear(&self, event: &Event) {
        let owner = match event {
            Event::TokenRevoked(event) => return self.forget(|found| found.token.id == event.token.id),
            Event::UserUpdated(event) => event.after.id,
            Event::UserDeleted(event) => event.user.id,
            _ => return,
        };
        self.forget(|found| found.token.owner == Some(owner));
    }

    /// All that was committed up to this moment was heard of.
    pub(crate) fn is_current_at(&self, moment: Instant) {
        *self.0.current_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(moment);
    }

    /// Writes down when tokens were last used. What cannot be written now is written next time.
    pub(crate) async fn write_uses(&self, database: &Database) -> Result<(), DbErr> {
        let used = std::mem::take(&mut *self.0.used.lock().unwrap_or_else(PoisonError::into_inner));
        if used.is_empty() {
            return Ok(());
        }
        let rows = used
            .iter()
            .map(|(id, at)| token_use::ActiveModel { token_id: Set(id.0), used_at: Set(micros(*at)) });
        let later = OnConflict::column(token_use::Column::TokenId)
            .update_column(token_use::Column::UsedAt)
            .to_owned();
        let written = token_use::Entity::insert_many(rows)
            .on_conflict(later)
            .exec_without_returning(database.writer())
            .await;
        if written.is_err() {
            let mut newer = self.0.used.lock().unwrap_or_else(PoisonError::into_inner);
            for (id, at) in used {
                newer.entry(id).or_insert(at);
            }
        }
        written.map(drop)
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

/// Waits until no process can still use what it knew of a token before now.
pub(super) async fn outlast_leases() {
    tokio::time::sleep(LEASE).await;
}

impl Store {
    /// The longest name of a token, in bytes.
    pub const MAX_TOKEN_NAME_BYTES: usize = 64;

    /// The token that has this secret, with its owner, unless it is revoked, has expired, or its owner is
    /// disabled.
    pub async fn authenticate(&self, secret: &str) -> Result<Option<Authenticated>, ReadError> {
        self.tokens_cached().authenticate(self.database(), self.clock(), secret).await
    }

    /// Makes a token with a random secret, which is returned and kept nowhere.
    pub async fn create_token(
        &self,
        new: NewToken,
        actor: Actor,
    ) -> Result<(Arc<Token>, String), WriteError<TokenConflict>> {
        let secret = format!("{SECRET_PREFIX}{}", random_text::<SECRET_BYTES>()?);
        let command = self.create_command(new, &secret);
        let token = submit(self.writes(), command, actor).await?;
        Ok((token, secret))
    }

    /// Makes sure that there is a token of this name that opens everything with this secret, replacing another
    /// of the name. When this returns, no process on the database takes that one.
    pub async fn ensure_token(
        &self,
        name: &str,
        secret: &str,
        actor: Actor,
    ) -> Result<Arc<Token>, WriteError<TokenConflict>> {
        let new = NewToken::new(name, [Scope::Admin]);
        loop {
            let command = self.create_command(new.clone(), secret);
            match active(self.database(), name).await? {
                Some(row) if row.hash == hash(secret) && row.scopes == new.scopes.to_string() => {
                    return Ok(Arc::new(Token::try_from(row)?));
                }
                Some(_) => {
                    let token = submit(self.writes(), ReplaceToken(command), actor).await?;
                    outlast_leases().await;
                    return Ok(token);
                }
                None => match submit(self.writes(), command, actor.clone()).await {
                    // Another process that starts at the same moment was faster. Look again at what it made.
                    Err(WriteError::Conflict(TokenConflict::NameTaken(_))) => {}
                    created => return created,
                },
            }
        }
    }

    /// Revokes a token. When this returns, no process on the database takes it.
    pub async fn revoke_token(
        &self,
        which: TokenKey,
        actor: Actor,
    ) -> Result<Arc<Token>, WriteError<NoToken>> {
        let token = submit(self.writes(), RevokeToken(which), actor).await?;
        outlast_leases().await;
        Ok(token)
    }

    fn create_command(&self, new: NewToken, secret: &str) -> CreateToken {
        let NewToken { name, owner, scopes, expires_at } = new;
        let token = Token {
            id: TokenId(Uuid::now_v7()),
            name,
            owner,
            scopes,
            hint: secret
                .strip_prefix(SECRET_PREFIX)
                .map_or_else(String::new, |_| secret.chars().take(HINT_CHARS).collect()),
            created_at: self.clock().now(),
            expires_at,
            revoked_at: None,
        };
        CreateToken { token: Arc::new(token), hash: hash(secret) }
    }

    /// All tokens, also revoked ones, oldest first.
    pub async fn tokens(&self) -> Result<Vec<Token>, ReadError> {
        let rows = token::Entity::find()
            .order_by_asc(token::Column::CreatedAt)
            .order_by_asc(token::Column::Id)
            .all(&self.database().reader)
            .await?;
        rows.into_iter().map(Token::try_from).collect()
    }

    /// When each token was last used, to about a minute; those that never were are left out.
    pub async fn token_uses(&self) -> Result<HashMap<TokenId, OffsetDateTime>, ReadError> {
        let rows = token_use::Entity::find().all(&self.database().reader).await?;
        let written = rows.into_iter().map(|row| (TokenId(row.token_id), from_micros(row.used_at)));
        let mut uses: HashMap<_, _> = written.collect();
        uses.extend(self.tokens_cached().0.used.lock().unwrap_or_else(PoisonError::into_inner).iter());
        Ok(uses)
    }
}
