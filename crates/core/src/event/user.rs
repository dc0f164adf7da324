//! What can happen to a user, and what users do at the door.

use std::{num::NonZeroU64, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::model::{
    user::{ClientAddress, SessionId, SignInRefusal, User, UserField, UserId},
    value::UserName,
};

/// A user was added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserCreated {
    /// As added.
    pub user: Arc<User>,
}

/// A user was changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserUpdated {
    /// As the user was.
    pub before: Arc<User>,
    /// As the user is now.
    pub after: Arc<User>,
    /// What differs.
    pub changed: Vec<UserField>,
}

/// A user is no more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserDeleted {
    /// As the user last was.
    pub user: Arc<User>,
}

/// A user signed in: a session began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserSignedIn {
    /// Who.
    pub user: UserId,
    /// The user's name.
    pub name: UserName,
    /// The session.
    pub session: SessionId,
    /// From where.
    pub address: ClientAddress,
}

/// A session of a user was ended, by the user, an administrator or a change of the password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserSignedOut {
    /// Whose session it was.
    pub user: UserId,
    /// The user's name.
    pub name: UserName,
    /// The session.
    pub session: SessionId,
}

/// Someone was refused who tried to sign in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignInRefused {
    /// Whose name was given, where there is such a user.
    pub user: Option<UserId>,
    /// From where.
    pub address: ClientAddress,
    /// Why.
    pub reason: SignInRefusal,
    /// How many refusals this event stands for, where it is more than itself: those of a minute that had too many for an
    /// event each. The rest of the event is about the last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<NonZeroU64>,
}

fn subject(id: UserId) -> String {
    format!("users/{id}")
}

impl UserCreated {
    pub(super) fn subject(&self) -> String {
        subject(self.user.id)
    }
}

impl UserUpdated {
    pub(super) fn subject(&self) -> String {
        subject(self.after.id)
    }
}

impl UserDeleted {
    pub(super) fn subject(&self) -> String {
        subject(self.user.id)
    }
}

impl UserSignedIn {
    pub(super) fn subject(&self) -> String {
        format!("sessions/{}", self.session)
    }
}

impl UserSignedOut {
    pub(super) fn subject(&self) -> String {
        format!("sessions/{}", self.session)
    }
}

impl SignInRefused {
    #[expect(clippy::unused_self, reason = "every event tells its subject in the same way")]
    pub(super) fn subject(&self) -> String {
        "sign-ins".to_owned()
    }
}
