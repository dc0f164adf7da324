//! A cache of recently used API tokens, so that most requests are authorized without a database query.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use inventory_core::{Clock, Event, Scope, Token, TokenId, User, micros};
use sea_orm::{ActiveValue::Set, ColumnTrait, DbErr, EntityTrait, QueryFilter, sea_query::OnConflict};
use time::OffsetDateTime;

use super::secret::hash;
use crate::{
    db::database::Database,
    entity::{token, token_use, user_account},
    error::ReadError,
    log::tail::Observer,
};

/// How long what is known of a token may be used after the log was last looked at.
const LEASE: Duration = Duration::from_millis(500);
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

/// A cache of recently used API tokens, so that most requests are authorized without a database query.
///
/// Revocations are events, so the tailer delivers them from every process. A cached token stays valid for
/// [`LEASE`] after the last log poll, and a revocation waits out that lease before it returns. From then on
/// no process on the database accepts the token, not even one that cannot reach the log.
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

impl Observer for TokenCache {
    fn event(&self, event: &Event) {
        let owner = match event {
            Event::TokenRevoked(event) => return self.forget(|found| found.token.id == event.token.id),
            Event::UserUpdated(event) => event.after.id,
            Event::UserDeleted(event) => event.user.id,
            _ => return,
        };
        self.forget(|found| found.token.owner == Some(owner));
    }

    fn current_at(&self, moment: Instant) {
        *self.0.current_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(moment);
    }
}

impl TokenCache {
    pub(super) async fn authenticate(
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
            // A user who was removed has no valid tokens, even if a row of one was left behind.
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

impl TokenCache {
    /// When tokens were last used, where that is not written down yet.
    pub(super) fn unwritten_uses(&self) -> HashMap<TokenId, OffsetDateTime> {
        self.0.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Waits until no process can still use what it knew of a token before now.
pub(super) async fn wait_out_leases() {
    tokio::time::sleep(LEASE).await;
}
