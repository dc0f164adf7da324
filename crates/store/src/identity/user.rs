//! Users, as others manage them.

use std::sync::Arc;

use inventory_core::{Actor, Role, SessionId, User, UserChange, UserId, UserName};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::{
    command::{ChangeUser, CreateUser, DeleteUser},
    conflict::{UserConflict, UserNameTaken},
    context::IdentityContext,
    password::{Password, PasswordHash},
    token_cache::wait_out_leases,
};
use crate::{
    entity::user_account,
    error::ReadError,
    write::{VersionPrecondition, WriteError, submit},
};

/// Another password of a user.
#[derive(Debug, Clone)]
pub struct NewPassword {
    /// The password.
    pub password: Password,
    /// The session in which the user changes it, which does not end with the others.
    pub keep: Option<SessionId>,
}

/// The users. See [`Store::users`](crate::Store::users).
#[derive(Debug, Clone, Copy)]
pub struct Users<'a>(pub(crate) &'a Arc<IdentityContext>);

impl Users<'_> {
    /// Adds a user.
    pub async fn create(
        self,
        name: UserName,
        role: Role,
        password: Password,
        actor: Actor,
    ) -> Result<Arc<User>, WriteError<UserNameTaken>> {
        let user = User::new(UserId::generate(), name, role, self.0.clock.now(), actor.clone());
        let password = self.0.passwords.hash(password).await?;
        let command = CreateUser { user: Arc::new(user), password };
        submit(&self.0.writes, command, actor, None).await
    }

    /// Changes a user, and with `password` sets another one. A new password, like keeping the user out, ends
    /// the user's sessions. When this returns, what the user may no longer do is refused by every
    /// process on the database.
    pub async fn change(
        self,
        id: UserId,
        expected: VersionPrecondition,
        change: UserChange,
        password: Option<NewPassword>,
        actor: Actor,
    ) -> Result<Arc<User>, WriteError<UserConflict>> {
        let (password, keep) = match password {
            Some(NewPassword { password, keep }) => (Some(self.0.passwords.hash(password).await?), keep),
            None => (None, None),
        };
        let may_narrow = change.role.is_some() || change.disabled == Some(true);
        let change = UserChange { password: password.is_some(), ..change };
        let command = ChangeUser { id, expected, change, password, keep };
        let user = submit(&self.0.writes, command, actor, None).await?;
        if may_narrow {
            wait_out_leases().await;
        }
        Ok(user)
    }

    /// Removes a user, with the user's sessions and tokens. The event log keeps who it was.
    pub async fn delete(
        self,
        id: UserId,
        expected: VersionPrecondition,
        actor: Actor,
    ) -> Result<Arc<User>, WriteError<UserConflict>> {
        let command = DeleteUser { id, expected };
        let user = submit(&self.0.writes, command, actor, None).await?;
        wait_out_leases().await;
        Ok(user)
    }

    /// All users, by name.
    pub async fn list(self) -> Result<Vec<User>, ReadError> {
        let rows = user_account::Entity::find()
            .order_by_asc(user_account::Column::Name)
            .all(&self.0.database.reader)
            .await?;
        rows.into_iter().map(User::try_from).collect()
    }

    /// One user.
    pub async fn find(self, id: UserId) -> Result<Option<User>, ReadError> {
        let row = user_account::Entity::find_by_id(id.0).one(&self.0.database.reader).await?;
        row.map(User::try_from).transpose()
    }

    /// The user of this name.
    pub async fn find_by_name(self, name: &UserName) -> Result<Option<User>, ReadError> {
        let row = user_account::Entity::find()
            .filter(user_account::Column::Name.eq(name.as_str()))
            .one(&self.0.database.reader)
            .await?;
        row.map(User::try_from).transpose()
    }

    /// Whether this is the password of a user. How often it may be tried is up to the caller.
    pub async fn verify_password(self, id: UserId, password: &str) -> Result<bool, ReadError> {
        let row = user_account::Entity::find_by_id(id.0).one(&self.0.database.reader).await?;
        let expected = row.map(|row| PasswordHash(row.password_hash));
        self.0.passwords.verify(password.to_owned(), expected).await
    }
}
