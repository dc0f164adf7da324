//! Users, as they appear in events. This crate never holds passwords.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    actor::Actor,
    clock::rfc3339,
    field_value::{FromJson, ValueError},
    scope::Scope,
    value::UserName,
};

/// The identity of a user.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(transparent)]
pub struct UserId(pub Uuid);

impl UserId {
    /// A new id.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// What a user may do. Each role may do what the one before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// See components and their history.
    Viewer,
    /// Create, change, delete and import components.
    Editor,
    /// Manage users and everybody's tokens.
    Admin,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Editor, Self::Admin];

    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }

    /// Whether a user of this role may do what a scope allows.
    pub fn allows(self, scope: Scope) -> bool {
        self >= match scope {
            Scope::Metrics | Scope::Read => Self::Viewer,
            Scope::Write => Self::Editor,
            Scope::Admin => Self::Admin,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(ValueError("must be \"viewer\", \"editor\" or \"admin\"".into()))
    }
}

impl FromJson for Role {
    fn from_json(value: Value) -> Result<Self, ValueError> {
        value
            .as_str()
            .ok_or(ValueError("must be \"viewer\", \"editor\" or \"admin\"".into()))
            .and_then(str::parse)
    }
}

/// How the web admin looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// As the browser is set.
    #[default]
    Auto,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// The name on the wire and in forms.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl FromStr for Theme {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Self::ALL
            .into_iter()
            .find(|theme| theme.as_str() == text)
            .ok_or(ValueError("must be \"auto\", \"light\" or \"dark\"".into()))
    }
}

/// What the web admin remembers of a user's choices.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    /// How it looks.
    pub theme: Theme,
    /// The columns of the list of components, in order; empty where the user has chosen none. One that the
    /// service does not know is passed over.
    pub columns: Vec<String>,
}

impl Preferences {
    /// How many columns are remembered.
    pub const MAX_COLUMNS: usize = 32;
}

/// Someone who can sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The identity, which never changes and is never used again.
    pub id: UserId,
    /// What the user signs in with: unique, and never changed.
    pub name: UserName,
    /// What the user may do.
    pub role: Role,
    /// Whether the user is kept out: no sign-in, no session, no token.
    pub disabled: bool,
    /// What the web admin remembers of the user's choices.
    pub preferences: Preferences,
    /// When the user was added, to the microsecond.
    #[serde(with = "rfc3339")]
    pub created_at: OffsetDateTime,
    /// Who added the user.
    pub created_by: Actor,
    /// When the user was last changed, to the microsecond.
    #[serde(with = "rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Who last changed the user.
    pub updated_by: Actor,
    /// 1 when added, one more with each change.
    pub version: u64,
}

/// What of a user was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is documented on the field of User that it names")]
pub enum UserField {
    Role,
    Disabled,
    Preferences,
    /// The password, which no event tells.
    Password,
}

/// A change of a user: what is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserChange {
    /// Another role.
    pub role: Option<Role>,
    /// Whether to keep the user out.
    pub disabled: Option<bool>,
    /// Other choices.
    pub preferences: Option<Preferences>,
    /// Whether the password is another, whatever it is.
    pub password: bool,
}

impl User {
    /// A new user in the first version.
    pub fn new(id: UserId, name: UserName, role: Role, at: OffsetDateTime, by: Actor) -> Self {
        Self {
            id,
            name,
            role,
            disabled: false,
            preferences: Preferences::default(),
            created_at: at,
            created_by: by.clone(),
            updated_at: at,
            updated_by: by,
            version: 1,
        }
    }

    /// This user in the next version, with what differs; `None` where the change changes nothing, which then
    /// is no new version.
    pub fn changed(
        &self,
        change: UserChange,
        at: OffsetDateTime,
        by: Actor,
    ) -> Option<(Self, Vec<UserField>)> {
        let UserChange { role, disabled, preferences, password } = change;
        let mut after = self.clone();
        after.role = role.unwrap_or(self.role);
        after.disabled = disabled.unwrap_or(self.disabled);
        after.preferences = preferences.unwrap_or_else(|| self.preferences.clone());
        let differing = [
            (UserField::Role, after.role != self.role),
            (UserField::Disabled, after.disabled != self.disabled),
            (UserField::Preferences, after.preferences != self.preferences),
            (UserField::Password, password),
        ];
        let changed: Vec<_> =
            differing.into_iter().filter(|(_, differs)| *differs).map(|(field, _)| field).collect();
        if changed.is_empty() {
            return None;
        }
        after.updated_at = at;
        after.updated_by = by;
        after.version += 1;
        Some((after, changed))
    }

    /// Whether the user may sign in, and with it be of any role.
    pub fn is_active(&self) -> bool {
        !self.disabled
    }
}

/// The identity of a session: a random id that is not its secret, so that events and pages can name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub Uuid);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Why a sign-in was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInRefusal {
    /// There is no user of this name. The event does not tell the name: people type passwords there.
    UnknownUser,
    /// The password is another.
    WrongPassword,
    /// The user is disabled.
    Disabled,
}

impl SignInRefusal {
    /// The reason in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownUser => "unknown user",
            Self::WrongPassword => "wrong password",
            Self::Disabled => "disabled user",
        }
    }
}

/// Where a request came from, as events tell it: the address of the client, and of no proxy that is trusted.
pub type ClientAddress = IpAddr;

#[cfg(test)]
mod tests {
    use super::*;

    fn user(role: Role) -> User {
        let at = OffsetDateTime::UNIX_EPOCH;
        User::new(UserId(Uuid::nil()), "anna".parse().unwrap(), role, at, Actor::cli())
    }

    #[test]
    fn each_role_may_do_what_the_one_before_it_may() {
        let table: Vec<_> = Role::ALL.map(|role| Scope::ALL.map(|scope| role.allows(scope))).into();
        assert_eq!(
            table,
            [[true, false, true, false], [true, true, true, false], [true, true, true, true]],
            "the scopes are {:?}",
            Scope::ALL
        );
    }

    #[test]
    fn a_change_that_changes_nothing_is_no_version() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let before = user(Role::Editor);
        let same = UserChange { role: Some(Role::Editor), disabled: Some(false), ..UserChange::default() };
        assert_eq!(before.changed(same, at, Actor::cli()), None);
        let other = UserChange { role: Some(Role::Admin), password: true, ..UserChange::default() };
        let (after, changed) = before.changed(other, at, Actor::cli()).unwrap();
        assert_eq!(changed, [UserField::Role, UserField::Password]);
        assert_eq!((after.role, after.version), (Role::Admin, 2));
    }

    #[test]
    fn names_are_in_one_case_so_that_no_two_look_alike() {
        for good in ["anna", "a", "anna.b@example.org", "0-1"] {
            assert!(good.parse::<UserName>().is_ok(), "{good}");
        }
        for bad in ["", "Anna", " anna", "anna b", "änna", ".anna", "anna.", "a/b", "a:b"] {
            assert!(bad.parse::<UserName>().is_err(), "{bad:?} was taken for a user's name");
        }
    }
}
