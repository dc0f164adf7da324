//! API tokens, as they appear in events. This crate never holds the secret itself.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{scope::Scopes, user::UserId};

/// The identity of an API token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenId(pub Uuid);

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// An API token without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its identity.
    pub id: TokenId,
    /// What people call it; unique among the tokens that are not revoked.
    pub name: String,
    /// Whose it is. It can do nothing that this user may not, and nothing while the user is disabled. `None` for
    /// one that an operator made at the command line.
    #[serde(default)]
    pub owner: Option<UserId>,
    /// What it opens.
    #[serde(default)]
    pub scopes: Scopes,
    /// The first characters of its secret, by which people tell tokens apart; empty where they were not kept.
    #[serde(default)]
    pub hint: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it ceases to be good for anything by itself.
    #[serde(with = "time::serde::rfc3339::option", default)]
    pub expires_at: Option<OffsetDateTime>,
    /// When it was revoked.
    #[serde(with = "time::serde::rfc3339::option")]
    pub revoked_at: Option<OffsetDateTime>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scope;

    #[test]
    fn a_token_of_an_event_from_before_there_were_scopes_can_be_read() {
        let token: Token = serde_json::from_str(
            r#"{"id": "00000000-0000-0000-0000-000000000001", "name": "ci", "created_at": "2026-11-23T00:00:00Z",
                "revoked_at": null}"#,
        )
        .unwrap();
        assert_eq!((token.owner, token.expires_at), (None, None));
        assert!(token.scopes.cover(Scope::Read) && !token.scopes.cover(Scope::Admin));
    }
}
