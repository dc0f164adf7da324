//! Changes of users, sessions and tokens: one type for each, with its own result and its own conflicts.

use std::{convert::Infallible, net::IpAddr, num::NonZeroU64, sync::Arc};

use inventory_core::{
    Event, SessionId, SignInRefusal, SignInRefused, Token, TokenCreated, TokenId, TokenRevoked, User,
    UserChange, UserCreated, UserDeleted, UserId, UserSignedIn, UserSignedOut, UserUpdated, micros,
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
    sea_query::{Expr, OnConflict},
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    conflict::{TokenConflict, TokenNotFound, UserChanged, UserConflict, UserNameTaken, UserNotFound},
    password::PasswordHash,
};
use crate::{
    db::Transaction,
    entity::{token, user_account, user_session},
    error::ReadError,
    write::{ChangeContext, Executed, ResourceCommand, VersionPrecondition},
};

/// How a token is named in a request to revoke it.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it")]
pub enum TokenKey {
    Id(TokenId),
    Name(String),
}

/// Which sessions of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionSelector {
    /// This one.
    One(SessionId),
    /// All but this one, if there is one to keep.
    AllBut(Option<SessionId>),
}

/// Creates an API token.
#[derive(Debug)]
pub(super) struct CreateToken {
    pub(super) token: Arc<Token>,
    /// The SHA-256 of its secret.
    pub(super) hash: [u8; 32],
}

#[async_trait::async_trait]
impl ResourceCommand for CreateToken {
    type Output = Arc<Token>;
    type Conflict = TokenConflict;

    async fn execute(&self, transaction: &Transaction, _context: &ChangeContext) -> Executed<Self> {
        let Self { token, hash } = self;
        if let Some(owner) = token.owner
            && locked(transaction, owner).await?.is_none()
        {
            return Ok(Err(TokenConflict::NoOwner));
        }
        let inserted = token::Entity::insert(token::Model::new(token, hash).into_active_model())
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(transaction)
            .await?;
        if inserted == 0 {
            return Ok(Err(TokenConflict::NameTaken(token.name.clone())));
        }
        let event = TokenCreated { token: Arc::clone(token) };
        Ok(Ok((Arc::clone(token), vec![event.into()])))
    }
}

/// Revokes an API token.
#[derive(Debug)]
pub(super) struct RevokeToken(pub(super) TokenKey);

#[async_trait::async_trait]
impl ResourceCommand for RevokeToken {
    type Output = Arc<Token>;
    type Conflict = TokenNotFound;

    async fn execute(&self, transaction: &Transaction, context: &ChangeContext) -> Executed<Self> {
        let (condition, name) = match &self.0 {
            TokenKey::Id(id) => (token::Column::Id.eq(id.0), id.to_string()),
            TokenKey::Name(name) => (token::Column::Name.eq(name), name.clone()),
        };
        let current = token::Entity::find()
            .filter(condition)
            .filter(token::Column::RevokedAt.is_null())
            .lock_exclusive()
            .one(transaction)
            .await?;
        let Some(current) = current else { return Ok(Err(TokenNotFound(name))) };
        let token = revoke(transaction, current, context.at).await?;
        let event = TokenRevoked { token: Arc::clone(&token) };
        Ok(Ok((token, vec![event.into()])))
    }
}

/// Revokes an API token and creates another one of its name.
#[derive(Debug)]
pub(super) struct ReplaceToken {
    pub(super) current: TokenId,
    pub(super) new: CreateToken,
}

#[async_trait::async_trait]
impl ResourceCommand for ReplaceToken {
    type Output = Arc<Token>;
    type Conflict = TokenConflict;

    async fn execute(&self, transaction: &Transaction, context: &ChangeContext) -> Executed<Self> {
        let revoked = RevokeToken(TokenKey::Id(self.current)).execute(transaction, context).await?;
        // Where it was revoked meanwhile, the name is free or belongs to another token, which is a conflict.
        let mut events = revoked.map_or_else(|TokenNotFound(_)| Vec::new(), |(_, events)| events);
        let created = self.new.execute(transaction, context).await?;
        Ok(created.map(|(token, created)| {
            events.extend(created);
            (token, events)
        }))
    }
}

async fn revoke(
    transaction: &Transaction,
    row: token::Model,
    at: OffsetDateTime,
) -> Result<Arc<Token>, DbErr> {
    token::Entity::update_many()
        .set(token::ActiveModel { revoked_at: Set(Some(micros(at))), ..Default::default() })
        .filter(token::Column::Id.eq(row.id))
        .exec(transaction)
        .await?;
    Ok(Arc::new(Token { revoked_at: Some(at), ..Token::try_from(row).map_err(unreadable)? }))
}

/// Adds a user.
#[derive(Debug)]
pub(super) struct CreateUser {
    pub(super) user: Arc<User>,
    pub(super) password: PasswordHash,
}

#[async_trait::async_trait]
impl ResourceCommand for CreateUser {
    type Output = Arc<User>;
    type Conflict = UserNameTaken;

    async fn execute(&self, transaction: &Transaction, _context: &ChangeContext) -> Executed<Self> {
        let Self { user, password } = self;
        let row = user_account::Model::new(user, password.0.clone());
        let inserted = user_account::Entity::insert(row.into_active_model())
            .on_conflict(OnConflict::column(user_account::Column::Name).do_nothing().to_owned())
            .exec_without_returning(transaction)
            .await?;
        if inserted == 0 {
            return Ok(Err(UserNameTaken(user.name.clone())));
        }
        let event = UserCreated { user: Arc::clone(user) };
        Ok(Ok((Arc::clone(user), vec![event.into()])))
    }
}

/// Changes a user. A new password, like disabling the user, ends the user's sessions but for one.
#[derive(Debug)]
pub(super) struct ChangeUser {
    pub(super) id: UserId,
    pub(super) expected: VersionPrecondition,
    pub(super) change: UserChange,
    pub(super) password: Option<PasswordHash>,
    /// The session that does not end.
    pub(super) keep: Option<SessionId>,
}

#[async_trait::async_trait]
impl ResourceCommand for ChangeUser {
    type Output = Arc<User>;
    type Conflict = UserConflict;

    async fn execute(&self, transaction: &Transaction, context: &ChangeContext) -> Executed<Self> {
        let Self { id, expected, change, password, keep } = self;
        let before = match admitted(transaction, *id, expected).await? {
            Ok(before) => before,
            Err(conflict) => return Ok(Err(conflict)),
        };
        let Some((mut after, changed)) = before.changed(change.clone(), context.at, context.actor.clone())
        else {
            return Ok(Ok((before, Vec::new())));
        };
        after.version = after.version.max(context.version_floor);
        let after = Arc::new(after);
        if is_admin(&before) && !is_admin(&after) && is_last_admin(transaction, *id).await? {
            return Ok(Err(UserConflict::LastAdmin));
        }
        let row = user_account::Model::new(&after, String::new());
        let mut row = row.into_active_model().reset_all();
        row.id = NotSet;
        row.password_hash = password.as_ref().map_or(NotSet, |password| Set(password.0.clone()));
        user_account::Entity::update_many()
            .set(row)
            .filter(user_account::Column::Id.eq(id.0))
            .exec(transaction)
            .await?;
        let mut events = vec![UserUpdated { before, after: Arc::clone(&after), changed }.into()];
        if password.is_some() || !after.is_active() {
            events
                .extend(end_sessions(transaction, &after, SessionSelector::AllBut(*keep), context.at).await?);
        }
        Ok(Ok((after, events)))
    }
}

/// Removes a user, with the user's sessions and tokens.
#[derive(Debug)]
pub(super) struct DeleteUser {
    pub(super) id: UserId,
    pub(super) expected: VersionPrecondition,
}

#[async_trait::async_trait]
impl ResourceCommand for DeleteUser {
    type Output = Arc<User>;
    type Conflict = UserConflict;

    async fn execute(&self, transaction: &Transaction, context: &ChangeContext) -> Executed<Self> {
        let Self { id, expected } = self;
        let user = match admitted(transaction, *id, expected).await? {
            Ok(user) => user,
            Err(conflict) => return Ok(Err(conflict)),
        };
        if is_admin(&user) && is_last_admin(transaction, *id).await? {
            return Ok(Err(UserConflict::LastAdmin));
        }
        let mut events = end_sessions(transaction, &user, SessionSelector::AllBut(None), context.at).await?;
        let tokens = token::Entity::find()
            .filter(token::Column::Owner.eq(id.0))
            .filter(token::Column::RevokedAt.is_null())
            .lock_exclusive()
            .all(transaction)
            .await?;
        for row in tokens {
            events.push(TokenRevoked { token: revoke(transaction, row, context.at).await? }.into());
        }
        user_account::Entity::delete_by_id(id.0).exec(transaction).await?;
        events.push(UserDeleted { user: Arc::clone(&user) }.into());
        Ok(Ok((user, events)))
    }
}

/// Begins a session of a user whose password is still this.
#[derive(Debug)]
pub(super) struct BeginSession {
    pub(super) id: SessionId,
    /// The SHA-256 of its secret.
    pub(super) hash: [u8; 32],
    pub(super) user: UserId,
    pub(super) address: IpAddr,
    pub(super) agent: String,
    pub(super) password: PasswordHash,
}

#[async_trait::async_trait]
impl ResourceCommand for BeginSession {
    type Output = ();
    type Conflict = UserChanged;

    async fn execute(&self, transaction: &Transaction, context: &ChangeContext) -> Executed<Self> {
        let Self { id, hash, user, address, agent, password } = self;
        let Some((user, current)) = locked(transaction, *user).await? else { return Ok(Err(UserChanged)) };
        if current != *password || !user.is_active() {
            return Ok(Err(UserChanged));
        }
        let row = user_session::Model {
            id: id.0,
            hash: hash.to_vec(),
            user_id: user.id.0,
            address: address.to_string(),
            agent: agent.clone(),
            created_at: micros(context.at),
            seen_at: micros(context.at),
            ended_at: None,
        };
        user_session::Entity::insert(row.into_active_model()).exec_without_returning(transaction).await?;
        let event = UserSignedIn { user: user.id, name: user.name.clone(), session: *id, address: *address };
        Ok(Ok(((), vec![event.into()])))
    }
}

/// Ends sessions of a user. Returns how many.
#[derive(Debug)]
pub(super) struct EndSessions {
    pub(super) user: UserId,
    pub(super) which: SessionSelector,
}

#[async_trait::async_trait]
impl ResourceCommand for EndSessions {
    type Output = u64;
    type Conflict = UserNotFound;

    async fn execute(&self, transaction: &Transaction, context: &ChangeContext) -> Executed<Self> {
        let Some((user, _)) = locked(transaction, self.user).await? else { return Ok(Err(UserNotFound)) };
        let ended = end_sessions(transaction, &user, self.which, context.at).await?;
        Ok(Ok((ended.len() as u64, ended)))
    }
}

/// Records that a sign-in was refused.
#[derive(Debug)]
pub(super) struct RecordRefusal {
    pub(super) user: Option<UserId>,
    pub(super) address: IpAddr,
    pub(super) reason: SignInRefusal,
    /// The number of refusals, where the event stands for several.
    pub(super) count: Option<NonZeroU64>,
}

#[async_trait::async_trait]
impl ResourceCommand for RecordRefusal {
    type Output = ();
    type Conflict = Infallible;

    async fn execute(&self, _transaction: &Transaction, _context: &ChangeContext) -> Executed<Self> {
        let Self { user, address, reason, count } = self;
        let event = SignInRefused { user: *user, address: *address, reason: *reason, count: *count };
        Ok(Ok(((), vec![event.into()])))
    }
}

/// A user with the hash of the user's password, kept from changing until the commit.
async fn locked(transaction: &Transaction, id: UserId) -> Result<Option<(Arc<User>, PasswordHash)>, DbErr> {
    let row = user_account::Entity::find_by_id(id.0).lock_exclusive().one(transaction).await?;
    let Some(row) = row else { return Ok(None) };
    let password = PasswordHash(row.password_hash.clone());
    Ok(Some((Arc::new(row.try_into().map_err(unreadable)?), password)))
}

/// A user who has the expected version.
async fn admitted(
    transaction: &Transaction,
    id: UserId,
    expected: &VersionPrecondition,
) -> Result<Result<Arc<User>, UserConflict>, DbErr> {
    Ok(match locked(transaction, id).await? {
        None => Err(UserNotFound.into()),
        Some((user, _)) if expected.admits(user.version) => Ok(user),
        Some((user, _)) => Err(UserConflict::Stale(user)),
    })
}

fn is_admin(user: &User) -> bool {
    user.is_active() && user.role == inventory_core::Role::Admin
}

/// Whether nobody but this user is an administrator who is not disabled. The rows of all of them are locked in
/// one order, so that two who demote each other at the same moment cannot both succeed.
async fn is_last_admin(transaction: &Transaction, id: UserId) -> Result<bool, DbErr> {
    let admins = user_account::Entity::find()
        .filter(user_account::Column::Role.eq(inventory_core::Role::Admin.as_str()))
        .filter(user_account::Column::Disabled.eq(false))
        .lock_exclusive()
        .all(transaction)
        .await?;
    Ok(admins.iter().all(|admin| admin.id == id.0))
}

/// Ends sessions, and returns an event for each.
async fn end_sessions(
    transaction: &Transaction,
    user: &User,
    which: SessionSelector,
    at: OffsetDateTime,
) -> Result<Vec<Event>, DbErr> {
    let open = user_session::Entity::find()
        .select_only()
        .column(user_session::Column::Id)
        .filter(user_session::Column::UserId.eq(user.id.0))
        .filter(user_session::Column::EndedAt.is_null())
        .filter(match which {
            SessionSelector::One(id) => user_session::Column::Id.eq(id.0),
            SessionSelector::AllBut(Some(id)) => user_session::Column::Id.ne(id.0),
            SessionSelector::AllBut(None) => user_session::Column::Id.is_not_null(),
        })
        .into_tuple::<Uuid>()
        .all(transaction)
        .await?;
    if !open.is_empty() {
        user_session::Entity::update_many()
            .col_expr(user_session::Column::EndedAt, Expr::value(micros(at)))
            .filter(user_session::Column::Id.is_in(open.iter().copied()))
            .exec(transaction)
            .await?;
    }
    let ended = |id| UserSignedOut { user: user.id, name: user.name.clone(), session: SessionId(id) }.into();
    Ok(open.into_iter().map(ended).collect())
}

#[expect(clippy::needless_pass_by_value, reason = "it is passed to `map_err`")]
fn unreadable(error: ReadError) -> DbErr {
    DbErr::Custom(error.to_string())
}
