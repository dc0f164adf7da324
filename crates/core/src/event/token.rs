//! What can happen to an API token.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::token::{Token, TokenId};

/// An API token was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenCreated {
    /// The token, without its secret.
    pub token: Arc<Token>,
}

/// An API token was revoked: it is no longer accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenRevoked {
    /// The token, without its secret.
    pub token: Arc<Token>,
}

fn subject(id: TokenId) -> String {
    format!("tokens/{id}")
}

impl TokenCreated {
    pub(super) fn subject(&self) -> String {
        subject(self.token.id)
    }
}

impl TokenRevoked {
    pub(super) fn subject(&self) -> String {
        subject(self.token.id)
    }
}
