//! Who may come in: users with passwords, their sessions, and API tokens.
//!
//! Each change of them is an event, in the same transaction, as every other change is. What is no change of
//! anything that a person decides, such as when a token was last used, is none.

mod password;
mod refusals;
mod session;
mod step;
mod token;
mod user;

use std::{net::IpAddr, num::NonZeroU64, sync::Arc};

use inventory_core::{SessionId, SignInRefusal, Token, TokenId, User, UserChange, UserId, UserName};
use serde::{Deserialize, Serialize};

pub use password::{Password, PasswordError};
pub use session::{Session, SignIn, SignInError, SignedIn};
pub use token::{Authenticated, NewToken};
pub use user::NewPassword;

pub(crate) use password::{PasswordHash, Passwords};
pub(crate) use refusals::Refusals;
pub(crate) use session::purge as purge_sessions;
pub(crate) use step::carry_out;
pub(crate) use token::TokenCache;

use crate::write::Expected;

/// One change of who may come in. They are asked for by methods of [`crate::Store`].
#[derive(Debug, Clone)]
pub(crate) enum AccessOperation {
    /// Make an API token.
    CreateToken {
        token: Arc<Token>,
        /// The SHA-256 of its secret.
        hash: [u8; 32],
    },
    /// Revoke an API token.
    RevokeToken(TokenKey),
    /// Add a user.
    CreateUser { user: Arc<User>, password: PasswordHash },
    /// Change a user. A new password, like keeping the user out, ends the user's sessions but for one.
    ChangeUser {
        id: UserId,
        expected: Expected,
        change: UserChange,
        password: Option<PasswordHash>,
        keep: Option<SessionId>,
    },
    /// Remove a user, with the user's sessions and tokens.
    DeleteUser { id: UserId, expected: Expected },
    /// Begin a session of a user whose password is still this.
    SignIn { session: NewSession, password: PasswordHash },
    /// End sessions of a user.
    SignOut { user: UserId, which: Sessions },
    /// Record that someone was not let in.
    RefuseSignIn {
        user: Option<UserId>,
        address: IpAddr,
        reason: SignInRefusal,
        /// How many there were, where the event stands for several.
        count: Option<NonZeroU64>,
    },
}

/// How a token is named in a request to revoke it.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it")]
pub enum TokenKey {
    Id(TokenId),
    Name(String),
}

/// Which sessions of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    /// This one.
    One(SessionId),
    /// All but this one, if there is one to keep.
    AllBut(Option<SessionId>),
}

/// A session that is to begin.
#[derive(Debug, Clone)]
pub(crate) struct NewSession {
    pub(crate) id: SessionId,
    /// The SHA-256 of its secret.
    pub(crate) hash: [u8; 32],
    pub(crate) user: UserId,
    pub(crate) address: IpAddr,
    pub(crate) agent: String,
}

/// What a change of who may come in did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum AccessDone {
    Token(Arc<Token>),
    User(Arc<User>),
    SignedIn(SessionId),
    /// So many sessions were ended.
    SignedOut(u64),
    SignInRefused,
}

/// Why a change of who may come in cannot be carried out as things are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum AccessRefusal {
    /// There is no such token, or it is revoked already.
    #[error("there is no token named {0:?}")]
    NoToken(String),
    /// A token that is not revoked has this name.
    #[error("there is a token named {0:?} already")]
    TokenNameTaken(String),
    /// There is no such user.
    #[error("there is no such user")]
    NoUser,
    /// The user has another version than expected. This is what it is now.
    #[error("the user {} is at version {}, which is not the one that was expected", .0.name, .0.version)]
    StaleUser(Arc<User>),
    /// Another user has this name.
    #[error("there is a user named \"{0}\" already")]
    UserNameTaken(UserName),
    /// It would leave nobody who can let others in.
    #[error("this is the last administrator who is not disabled; make another one first")]
    LastAdmin,
    /// The user was changed while the password was looked at.
    #[error("the user was changed in the meantime")]
    UserChanged,
}
