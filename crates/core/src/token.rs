//! API tokens, as far as events tell of them. The secret itself is nowhere in this crate.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{user::UserId, value::ValueError};

/// The identity of an API token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenId(pub Uuid);

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Read components and events.
    Read,
    /// Change components, and read them.
    Write,
    /// Read `/metrics/`, and nothing else.
    Metrics,
    /// Everything.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Metrics, Self::Admin];

    /// The name on the wire, in the database and at the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Metrics => "metrics",
            Self::Admin => "admin",
        }
    }

    /// Whether a token with this scope may do what needs another.
    pub fn covers(self, needed: Self) -> bool {
        match self {
            Self::Admin => true,
            Self::Write => matches!(needed, Self::Write | Self::Read),
            Self::Read | Self::Metrics => self == needed,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or(ValueError("must be \"read\", \"write\", \"metrics\" or \"admin\"".into()))
    }
}

/// What a token opens: a set of scopes. In text they are separated by a space.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// These.
    pub fn of(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self(scopes.into_iter().collect())
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Scope> + '_ {
        self.0.iter().copied()
    }

    /// Whether there is none, with which a token would be good for nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether they allow what needs this scope.
    pub fn cover(&self, needed: Scope) -> bool {
        self.0.iter().any(|scope| scope.covers(needed))
    }
}

impl Default for Scopes {
    /// What every token was good for before there were scopes: reading and changing components.
    fn default() -> Self {
        Self::of([Scope::Write])
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

impl FromStr for Scopes {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        text.split_whitespace().map(str::parse).collect::<Result<_, _>>().map(Self)
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

    #[test]
    fn a_scope_covers_what_it_says() {
        let table = Scope::ALL.map(|scope| Scope::ALL.map(|needed| scope.covers(needed)));
        assert_eq!(
            table,
            [
                [true, false, false, false],
                [true, true, false, false],
                [false, false, true, false],
                [true, true, true, true],
            ],
            "in the order {:?}",
            Scope::ALL
        );
    }

    #[test]
    fn scopes_are_read_as_they_are_written() {
        let scopes = Scopes::of([Scope::Metrics, Scope::Read]);
        assert_eq!(scopes.to_string(), "read metrics");
        assert_eq!("metrics read".parse::<Scopes>().unwrap(), scopes);
        assert!("read everything".parse::<Scopes>().is_err());
    }

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
