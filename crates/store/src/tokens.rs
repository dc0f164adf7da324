//! API tokens: random secrets of which the database holds the SHA-256.
//!
//! A secret has 256 random bits, so a plain hash is enough: there is nothing to guess.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use inventory_core::{Outcome, Recorded, Subscriber, Token, TokenId, TokenRevoked};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use sha2::{Digest, Sha256};

use crate::{database::Database, entity::token, error::ReadError};

/// What every secret begins with, so that secret scanners and people know one.
pub(crate) const SECRET_PREFIX: &str = "inv_";
/// How many random bytes a secret has.
const SECRET_BYTES: usize = 32;

/// A new random secret. The error is the operating system's, which has no randomness to give.
pub(crate) fn generate_secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{SECRET_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
}

/// What the database holds of a secret.
pub(crate) fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// The tokens that were used of late, so that most requests are let in without asking the database.
///
/// A revocation is an event like any other: it reaches this process through the bus, wherever it was made.
#[derive(Debug, Clone, Default)]
pub(crate) struct TokenCache(Arc<Cached>);

#[derive(Debug, Default)]
struct Cached {
    tokens: RwLock<HashMap<[u8; 32], Arc<Token>>>,
    /// Counts revocations, so that a token that is revoked while it is looked up is not kept.
    revocations: AtomicU64,
}

impl TokenCache {
    /// The token with this secret, unless it is revoked.
    pub(crate) async fn authenticate(
        &self,
        database: &Database,
        secret: &str,
    ) -> Result<Option<Arc<Token>>, ReadError> {
        let hash = hash(secret);
        if let Some(token) = self.0.tokens.read().unwrap_or_else(PoisonError::into_inner).get(&hash) {
            return Ok(Some(Arc::clone(token)));
        }
        let revocations = self.0.revocations.load(Ordering::SeqCst);
        let row = token::Entity::find()
            .filter(token::Column::Hash.eq(hash.to_vec()))
            .filter(token::Column::RevokedAt.is_null())
            .one(&database.reader)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let token = Arc::new(Token::from(row));
        let mut tokens = self.0.tokens.write().unwrap_or_else(PoisonError::into_inner);
        if self.0.revocations.load(Ordering::SeqCst) == revocations {
            tokens.insert(hash, Arc::clone(&token));
        }
        Ok(Some(token))
    }

    pub(crate) fn forget(&self, id: TokenId) {
        let mut tokens = self.0.tokens.write().unwrap_or_else(PoisonError::into_inner);
        self.0.revocations.fetch_add(1, Ordering::SeqCst);
        tokens.retain(|_, token| token.id != id);
    }
}

impl Subscriber for TokenCache {
    type Event = TokenRevoked;
    const NAME: &'static str = "tokens";

    async fn handle(&self, event: Recorded<TokenRevoked>) -> Outcome {
        self.forget(event.data.token.id);
        Ok(())
    }
}

/// The token of this name that is not revoked, with its hash.
pub(crate) async fn active(database: &Database, name: &str) -> Result<Option<token::Model>, ReadError> {
    Ok(token::Entity::find()
        .filter(token::Column::Name.eq(name))
        .filter(token::Column::RevokedAt.is_null())
        .one(&database.reader)
        .await?)
}

/// All tokens, oldest first.
pub(crate) async fn all(database: &Database) -> Result<Vec<Token>, ReadError> {
    let rows = token::Entity::find()
        .order_by_asc(token::Column::CreatedAt)
        .order_by_asc(token::Column::Id)
        .all(&database.reader)
        .await?;
    Ok(rows.into_iter().map(Token::from).collect())
}
