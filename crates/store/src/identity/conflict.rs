//! Why a change of users, sessions or tokens cannot be carried out as things are.

use std::sync::Arc;

use inventory_core::{User, UserName};

/// Another user has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is a user named \"{0}\" already")]
pub struct UserNameTaken(pub UserName);

/// There is no such user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no such user")]
pub struct UserNotFound;

/// Why a user is not changed or removed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UserConflict {
    /// There is no such user.
    #[error(transparent)]
    NotFound(#[from] UserNotFound),
    /// The user has another version than expected. This is what it is now.
    #[error("the user {} is at version {}, which is not the one that was expected", .0.name, .0.version)]
    Stale(Arc<User>),
    /// It would leave nobody who can let others in.
    #[error("this is the last administrator who is not disabled; make another one first")]
    LastAdmin,
}

/// Why a token is not created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenConflict {
    /// A token that is not revoked has this name.
    #[error("there is a token named {0:?} already")]
    NameTaken(String),
    /// The user who is to own it does not exist.
    #[error("there is no such user")]
    NoOwner,
}

/// There is no token of this name or id, or it is revoked already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no token named {0:?}")]
pub struct TokenNotFound(pub String);

/// The user was changed while the password was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UserChanged;
