//! Changes of who may come in, within a transaction of the writer.

use std::sync::Arc;

use inventory_core::{
    Event, SessionId, SignInRefused, Token, TokenCreated, TokenRevoked, User, UserChange, UserCreated,
    UserDeleted, UserId, UserSignedIn, UserSignedOut, UserUpdated, micros,
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
    sea_query::{Expr, OnConflict},
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{AccessDone, AccessOperation, AccessRefusal, NewSession, PasswordHash, Sessions, TokenKey};
use crate::{
    db::Transaction,
    entity::{token, user_account, user_session},
    error::ReadError,
    prepare::Author,
    write::Expected,
};

/// What a change did, and the events that tell of it.
pub(crate) type Changed = Result<(AccessDone, Vec<Event>), AccessRefusal>;

/// Carries out one change.
pub(crate) async fn carry_out(
    transaction: &Transaction,
    operation: &AccessOperation,
    author: &Author,
) -> Result<Changed, DbErr> {
    match operation {
        AccessOperation::CreateToken { token, hash } => create_token(transaction, token, hash).await,
        AccessOperation::RevokeToken(which) => revoke_token(transaction, which, author).await,
        AccessOperation::CreateUser { user, password } => create_user(transaction, user, password).await,
        AccessOperation::ChangeUser { id, expected, change, password, keep } => {
            let change = Change { fields: change, password: password.as_ref(), keep: *keep };
            change_user(transaction, *id, expected, change, author).await
        }
        AccessOperation::DeleteUser { id, expected } => delete_user(transaction, *id, expected, author).await,
        AccessOperation::SignIn { session, password } => {
            sign_in(transaction, session, password, author).await
        }
        AccessOperation::SignOut { user, which } => {
            let Some((user, _)) = locked(transaction, *user).await? else {
                return Ok(Err(AccessRefusal::NoUser));
            };
            let ended = end_sessions(transaction, &user, *which, author.at).await?;
            Ok(Ok((AccessDone::SignedOut(ended.len() as u64), ended)))
        }
        AccessOperation::RefuseSignIn { user, address, reason, count } => {
            let event = SignInRefused { user: *user, address: *address, reason: *reason, count: *count };
            Ok(Ok((AccessDone::SignInRefused, vec![event.into()])))
        }
    }
}

async fn create_token(
    transaction: &Transaction,
    token: &Arc<Token>,
    hash: &[u8; 32],
) -> Result<Changed, DbErr> {
    if let Some(owner) = token.owner
        && locked(transaction, owner).await?.is_none()
    {
        return Ok(Err(AccessRefusal::NoUser));
    }
    let inserted = token::Entity::insert(token::Model::new(token, hash).into_active_model())
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(transaction)
        .await?;
    if inserted == 0 {
        return Ok(Err(AccessRefusal::TokenNameTaken(token.name.clone())));
    }
    let event = TokenCreated { token: Arc::clone(token) };
    Ok(Ok((AccessDone::Token(Arc::clone(token)), vec![event.into()])))
}

async fn revoke_token(
    transaction: &Transaction,
    which: &TokenKey,
    author: &Author,
) -> Result<Changed, DbErr> {
    let (condition, name) = match which {
        TokenKey::Id(id) => (token::Column::Id.eq(id.0), id.to_string()),
        TokenKey::Name(name) => (token::Column::Name.eq(name), name.clone()),
    };
    let current = token::Entity::find()
        .filter(condition)
        .filter(token::Column::RevokedAt.is_null())
        .lock_exclusive()
        .one(transaction)
        .await?;
    let Some(current) = current else { return Ok(Err(AccessRefusal::NoToken(name))) };
    let token = revoke(transaction, current, author.at).await?;
    let event = TokenRevoked { token: Arc::clone(&token) };
    Ok(Ok((AccessDone::Token(token), vec![event.into()])))
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

async fn create_user(
    transaction: &Transaction,
    user: &Arc<User>,
    password: &PasswordHash,
) -> Result<Changed, DbErr> {
    let row = user_account::Model::new(user, password.0.clone());
    let inserted = user_account::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::column(user_account::Column::Name).do_nothing().to_owned())
        .exec_without_returning(transaction)
        .await?;
    if inserted == 0 {
        return Ok(Err(AccessRefusal::UserNameTaken(user.name.clone())));
    }
    let event = UserCreated { user: Arc::clone(user) };
    Ok(Ok((AccessDone::User(Arc::clone(user)), vec![event.into()])))
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
    expected: &Expected,
) -> Result<Result<Arc<User>, AccessRefusal>, DbErr> {
    Ok(match locked(transaction, id).await? {
        None => Err(AccessRefusal::NoUser),
        Some((user, _)) if expected.admits(user.version) => Ok(user),
        Some((user, _)) => Err(AccessRefusal::StaleUser(user)),
    })
}

struct Change<'a> {
    fields: &'a UserChange,
    password: Option<&'a PasswordHash>,
    keep: Option<SessionId>,
}

async fn change_user(
    transaction: &Transaction,
    id: UserId,
    expected: &Expected,
    change: Change<'_>,
    author: &Author,
) -> Result<Changed, DbErr> {
    let Change { fields, password, keep } = change;
    let before = match admitted(transaction, id, expected).await? {
        Ok(before) => before,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Some((mut after, changed)) = before.changed(fields.clone(), author.at, author.actor.clone()) else {
        return Ok(Ok((AccessDone::User(before), Vec::new())));
    };
    after.version = after.version.max(author.version_floor);
    let after = Arc::new(after);
    if is_admin(&before) && !is_admin(&after) && is_last_admin(transaction, id).await? {
        return Ok(Err(AccessRefusal::LastAdmin));
    }
    let row = user_account::Model::new(&after, String::new());
    let mut row = row.into_active_model().reset_all();
    row.id = NotSet;
    row.password_hash = password.map_or(NotSet, |password| Set(password.0.clone()));
    user_account::Entity::update_many()
        .set(row)
        .filter(user_account::Column::Id.eq(id.0))
        .exec(transaction)
        .await?;
    let mut events = vec![UserUpdated { before, after: Arc::clone(&after), changed }.into()];
    if password.is_some() || !after.is_active() {
        events.extend(end_sessions(transaction, &after, Sessions::AllBut(keep), author.at).await?);
    }
    Ok(Ok((AccessDone::User(after), events)))
}

async fn delete_user(
    transaction: &Transaction,
    id: UserId,
    expected: &Expected,
    author: &Author,
) -> Result<Changed, DbErr> {
    let user = match admitted(transaction, id, expected).await? {
        Ok(user) => user,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if is_admin(&user) && is_last_admin(transaction, id).await? {
        return Ok(Err(AccessRefusal::LastAdmin));
    }
    let mut events = end_sessions(transaction, &user, Sessions::AllBut(None), author.at).await?;
    let tokens = token::Entity::find()
        .filter(token::Column::Owner.eq(id.0))
        .filter(token::Column::RevokedAt.is_null())
        .lock_exclusive()
        .all(transaction)
        .await?;
    for row in tokens {
        events.push(TokenRevoked { token: revoke(transaction, row, author.at).await? }.into());
    }
    user_account::Entity::delete_by_id(id.0).exec(transaction).await?;
    events.push(UserDeleted { user: Arc::clone(&user) }.into());
    Ok(Ok((AccessDone::User(user), events)))
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

async fn sign_in(
    transaction: &Transaction,
    session: &NewSession,
    password: &PasswordHash,
    author: &Author,
) -> Result<Changed, DbErr> {
    let NewSession { id, hash, user, address, agent } = session;
    let Some((user, current)) = locked(transaction, *user).await? else {
        return Ok(Err(AccessRefusal::NoUser));
    };
    if current != *password || !user.is_active() {
        return Ok(Err(AccessRefusal::UserChanged));
    }
    let row = user_session::Model {
        id: id.0,
        hash: hash.to_vec(),
        user_id: user.id.0,
        address: address.to_string(),
        agent: agent.clone(),
        created_at: micros(author.at),
        seen_at: micros(author.at),
        ended_at: None,
    };
    user_session::Entity::insert(row.into_active_model()).exec_without_returning(transaction).await?;
    let event = UserSignedIn { user: user.id, name: user.name.clone(), session: *id, address: *address };
    Ok(Ok((AccessDone::SignedIn(*id), vec![event.into()])))
}

/// Ends sessions, and returns an event for each.
async fn end_sessions(
    transaction: &Transaction,
    user: &User,
    which: Sessions,
    at: OffsetDateTime,
) -> Result<Vec<Event>, DbErr> {
    let open = user_session::Entity::find()
        .select_only()
        .column(user_session::Column::Id)
        .filter(user_session::Column::UserId.eq(user.id.0))
        .filter(user_session::Column::EndedAt.is_null())
        .filter(match which {
            Sessions::One(id) => user_session::Column::Id.eq(id.0),
            Sessions::AllBut(Some(id)) => user_session::Column::Id.ne(id.0),
            Sessions::AllBut(None) => user_session::Column::Id.is_not_null(),
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
