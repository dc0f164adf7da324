//! Sessions: signing in, being signed in, signing out.
//!
//! A session is a random secret in a cookie, of which the database holds the SHA-256. It is looked up in the
//! database at every request, so that what ends it, or changes its user, does so at once in every process.

use std::{collections::HashMap, net::IpAddr, num::NonZeroU64, sync::Arc, time::Duration};

use inventory_core::{Actor, SessionId, SignInRefusal, User, UserId, UserName, from_micros, micros};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr};
use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    command::{BeginSession, EndSessions, RecordRefusal, SessionSelector},
    conflict::{UserChanged, UserNotFound},
    context::IdentityContext,
    password::PasswordHash,
    refusals::{self, Fate, Refused},
    secret::{hash, random_text},
};
use crate::{
    db::database::Database,
    entity::{user_account, user_session},
    error::ReadError,
    write::{WriteError, WriteFailure, submit},
};

/// How many random bytes the secret of a session has.
const SECRET_BYTES: usize = 32;
/// How much of what a browser says of itself is kept, in characters.
const MAX_AGENT_CHARS: usize = 200;
/// How old the time may be at which a session was last seen, before it is written down again.
const SEEN_PRECISION: Duration = Duration::from_mins(1);

/// Someone who is signed in.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Its identity, which is not its secret.
    pub id: SessionId,
    /// Who it is, as the database has the user now.
    pub user: Arc<User>,
    /// When the user signed in.
    pub created_at: OffsetDateTime,
    /// When the user was last seen, to about a minute.
    pub seen_at: OffsetDateTime,
    /// From where the user signed in.
    pub address: IpAddr,
    /// What the browser called itself.
    pub agent: String,
}

impl Session {
    /// How long a session may go unused.
    pub const IDLE: Duration = Duration::from_hours(12);
    /// How long a session lasts at most.
    pub const LIFETIME: Duration = Duration::from_hours(7 * 24);
    /// How long a session is kept after it was last used: so long its browser is known to the user.
    pub const KEPT_FOR: Duration = Duration::from_hours(90 * 24);

    fn is_good(created_at: OffsetDateTime, seen_at: OffsetDateTime, now: OffsetDateTime) -> bool {
        now < created_at + Self::LIFETIME && now < seen_at + Self::IDLE
    }
}

/// An attempt to sign in.
#[derive(Debug, Clone, Copy)]
pub struct SignIn<'a> {
    /// The name that was typed.
    pub name: &'a str,
    /// The password that was typed.
    pub password: &'a str,
    /// From where.
    pub address: IpAddr,
    /// What the browser calls itself.
    pub agent: &'a str,
    /// Whether the browser is known to have been signed in under this name before, by [`Sessions::knows_browser`].
    pub known_browser: bool,
}

/// A session that has just begun.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// Its secret, which is kept nowhere but in the browser.
    pub secret: String,
}

/// Why nobody is signed in.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SignInError {
    /// The name or the password is wrong, or the user is disabled. The client is not told which.
    #[error("the name or the password is not right")]
    Refused,
    /// As many others wait to sign in as may.
    #[error("too many others are signing in at this moment")]
    Busy,
    /// The database does not answer.
    #[error(transparent)]
    Unavailable(#[from] ReadError),
    /// The session could not be written.
    #[error(transparent)]
    Write(WriteFailure),
}

/// The sessions. See [`Store::sessions`](crate::Store::sessions).
#[derive(Debug, Clone, Copy)]
pub struct Sessions<'a>(pub(crate) &'a Arc<IdentityContext>);

impl Sessions<'_> {
    /// Signs someone in who knows the password. A refusal is an event, too, unless there are too many.
    ///
    /// Passwords are compared in turn. Browsers that are known do not wait for the others, of whom few may wait.
    ///
    /// It takes as long for a user that there is not as for one that there is. How often it may be tried is up
    /// to the caller.
    pub async fn sign_in(self, attempt: SignIn<'_>) -> Result<SignedIn, SignInError> {
        let SignIn { name, password, address, agent, known_browser } = attempt;
        let _turn = self.0.passwords.turn(known_browser).await.ok_or(SignInError::Busy)?;
        let row = match name.parse::<UserName>() {
            Ok(name) => named(&self.0.database, &name).await?,
            Err(_) => None,
        };
        let expected = row.as_ref().map(|row| PasswordHash(row.password_hash.clone()));
        let known = self.0.passwords.verify(password.to_owned(), expected.clone()).await?;
        let (user, password) = match (row, expected) {
            (Some(row), Some(password)) => (User::try_from(row)?, password),
            _ => return self.refuse(None, address, SignInRefusal::UnknownUser).await,
        };
        if !known {
            return self.refuse(Some(user.id), address, SignInRefusal::WrongPassword).await;
        }
        if !user.is_active() {
            return self.refuse(Some(user.id), address, SignInRefusal::Disabled).await;
        }
        self.begin_session(Arc::new(user), password, address, agent).await
    }

    async fn begin_session(
        self,
        user: Arc<User>,
        password: PasswordHash,
        address: IpAddr,
        agent: &str,
    ) -> Result<SignedIn, SignInError> {
        let secret = random_text::<SECRET_BYTES>()?;
        let agent: String = agent.chars().filter(|char| !char.is_control()).take(MAX_AGENT_CHARS).collect();
        // Version 4: a session's id is shown to administrators and should tell nothing of others.
        let id = SessionId(Uuid::new_v4());
        let actor = Actor::user(&user.name);
        let agent_text = agent.clone();
        let command =
            BeginSession { id, hash: hash(&secret), user: user.id, address, agent: agent_text, password };
        match submit(&self.0.writes, command, actor, None).await {
            Ok(()) => {}
            Err(WriteError::Conflict(UserChanged)) => {
                return self.refuse(Some(user.id), address, SignInRefusal::WrongPassword).await;
            }
            Err(WriteError::Failure(failure)) => return Err(SignInError::Write(failure)),
        }
        let now = self.0.clock.now();
        let session = Session { id, user, created_at: now, seen_at: now, address, agent };
        Ok(SignedIn { session, secret })
    }

    async fn refuse(
        self,
        user: Option<UserId>,
        address: IpAddr,
        reason: SignInRefusal,
    ) -> Result<SignedIn, SignInError> {
        let refused = Refused { user, address, reason };
        tracing::warn!(%address, reason = reason.as_str(), user = user.map(tracing::field::display), "sign-in refused");
        match self.0.refusals.add(refused, Instant::now()) {
            Fate::Event => self.record(refused, None).await.map_err(SignInError::Write)?,
            Fate::Rest(true) => {
                let context = Arc::clone(self.0);
                tokio::spawn(async move {
                    tokio::select! {
                        () = tokio::time::sleep(refusals::WINDOW) => Sessions(&context).record_rest_of_refusals().await,
                        // Then it is done by `close`.
                        () = context.stop.cancelled() => {}
                    }
                });
            }
            Fate::Rest(false) => {}
        }
        Err(SignInError::Refused)
    }

    async fn record(self, refused: Refused, count: Option<NonZeroU64>) -> Result<(), WriteFailure> {
        let Refused { user, address, reason } = refused;
        let command = RecordRefusal { user, address, reason, count };
        Ok(submit(&self.0.writes, command, Actor::system(), None).await?)
    }

    /// Makes one event of the refusals that had none.
    pub(crate) async fn record_rest_of_refusals(self) {
        let Some((refused, count)) = self.0.refusals.take_rest() else { return };
        if let Err(error) = self.record(refused, Some(count)).await {
            tracing::error!(%error, count, "failed to record refused sign-ins");
        }
    }

    /// Who is signed in with this secret; `None` where the session has ended, was not used for
    /// [`Session::IDLE`], has lasted [`Session::LIFETIME`], or its user is disabled.
    pub async fn find(self, secret: &str) -> Result<Option<Session>, ReadError> {
        let found = user_session::Entity::find()
            .filter(user_session::Column::Hash.eq(hash(secret).to_vec()))
            .filter(user_session::Column::EndedAt.is_null())
            .find_also_related(user_account::Entity)
            .one(&self.0.database.reader)
            .await?;
        let Some((session, Some(user))) = found else { return Ok(None) };
        let now = self.0.clock.now();
        let seen_at = from_micros(session.seen_at);
        let session = read(session, Arc::new(user.try_into()?))?;
        if !Session::is_good(session.created_at, seen_at, now) || !session.user.is_active() {
            return Ok(None);
        }
        if now - seen_at > SEEN_PRECISION {
            self.touch(session.id, now);
        }
        Ok(Some(session))
    }

    /// Writes down that a session was seen, without holding up who is seen. It is no change that anyone
    /// decided, and so no event.
    fn touch(self, id: SessionId, now: OffsetDateTime) {
        // One at a time: a page asks for many things at once, and one of them will do.
        let Ok(permit) = Arc::clone(&self.0.seeing).try_acquire_owned() else { return };
        let database = self.0.database.clone();
        tokio::spawn(async move {
            let seen = user_session::Entity::update_many()
                .col_expr(user_session::Column::SeenAt, Expr::value(micros(now)))
                .filter(user_session::Column::Id.eq(id.0))
                .exec(database.writer())
                .await;
            if let Err(error) = seen {
                tracing::warn!(%error, "failed to record session last-used time");
            }
            drop(permit);
        });
    }

    /// The sessions of a user that are good, the one that began last first.
    pub async fn list(self, user: &Arc<User>) -> Result<Vec<Session>, ReadError> {
        let rows = user_session::Entity::find()
            .filter(user_session::Column::UserId.eq(user.id.0))
            .filter(user_session::Column::EndedAt.is_null())
            .order_by_desc(user_session::Column::CreatedAt)
            .all(&self.0.database.reader)
            .await?;
        let now = self.0.clock.now();
        let sessions = rows.into_iter().map(|row| read(row, Arc::clone(user)));
        sessions
            .filter(|session| {
                session
                    .as_ref()
                    .map_or(true, |session| Session::is_good(session.created_at, session.seen_at, now))
            })
            .collect()
    }

    /// When each user was last seen, to about a minute; who was not seen for [`Session::KEPT_FOR`] is left out.
    pub async fn last_seen(self) -> Result<HashMap<UserId, OffsetDateTime>, ReadError> {
        let rows: Vec<(Uuid, i64)> = user_session::Entity::find()
            .select_only()
            .column(user_session::Column::UserId)
            .column_as(user_session::Column::SeenAt.max(), "seen_at")
            .group_by(user_session::Column::UserId)
            .into_tuple()
            .all(&self.0.database.reader)
            .await?;
        Ok(rows.into_iter().map(|(user, seen)| (UserId(user), from_micros(seen))).collect())
    }

    /// Whether a session that the user of this name had within [`Session::KEPT_FOR`] has this id: a browser that
    /// can name one is the user's, also after the session has ended.
    pub async fn knows_browser(self, name: &UserName, session: SessionId) -> Result<bool, ReadError> {
        let found = user_session::Entity::find_by_id(session.0)
            .find_also_related(user_account::Entity)
            .one(&self.0.database.reader)
            .await?;
        Ok(matches!(found, Some((_, Some(user))) if user.name == name.as_str()))
    }

    /// Ends sessions of a user, and returns how many.
    pub async fn sign_out(
        self,
        user: UserId,
        which: SessionSelector,
        actor: Actor,
    ) -> Result<u64, WriteError<UserNotFound>> {
        submit(&self.0.writes, EndSessions { user, which }, actor, None).await
    }
}

async fn named(database: &Database, name: &UserName) -> Result<Option<user_account::Model>, ReadError> {
    Ok(user_account::Entity::find()
        .filter(user_account::Column::Name.eq(name.as_str()))
        .one(&database.reader)
        .await?)
}

fn read(row: user_session::Model, user: Arc<User>) -> Result<Session, ReadError> {
    let user_session::Model { id, hash: _, user_id: _, address, agent, created_at, seen_at, ended_at: _ } =
        row;
    let address = address.parse().map_err(|_| ReadError::Corrupt(format!("the address of session {id}")))?;
    Ok(Session {
        id: SessionId(id),
        user,
        created_at: from_micros(created_at),
        seen_at: from_micros(seen_at),
        address,
        agent,
    })
}

/// Forgets the sessions that were not used for a long time.
pub(crate) async fn purge(database: &Database, now: OffsetDateTime) -> Result<(), DbErr> {
    user_session::Entity::delete_many()
        .filter(user_session::Column::SeenAt.lt(micros(now - Session::KEPT_FOR)))
        .exec(database.writer())
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use inventory_core::{Role, UserChange};

    use super::*;
    use crate::{Config, Password, Store, VersionPrecondition};

    #[tokio::test]
    async fn an_attempt_is_the_same_work_whoever_is_named() {
        let directory = tempfile::TempDir::new().unwrap();
        let file = directory.path().join("inventory.db");
        let store = Store::open(Config::new(format!("sqlite:{}", file.display()))).await.unwrap();
        for name in ["anna", "bert"] {
            let password = Password::new("correct horse battery").unwrap();
            store.users().create(name.parse().unwrap(), Role::Viewer, password, Actor::cli()).await.unwrap();
        }
        let bert = store.users().find_by_name(&"bert".parse().unwrap()).await.unwrap().unwrap();
        let disable = UserChange { disabled: Some(true), ..UserChange::default() };
        store.users().change(bert.id, VersionPrecondition::Any, disable, None, Actor::cli()).await.unwrap();
        for (count, name) in (1..).zip(["anna", "bert", "nobody", "no name at all", ""]) {
            let address = "192.0.2.7".parse().unwrap();
            let attempt = SignIn { name, password: "a guess", address, agent: "", known_browser: false };
            let refused = store.sessions().sign_in(attempt).await;
            assert!(matches!(refused, Err(SignInError::Refused)), "{name}: {refused:?}");
            assert_eq!(store.sessions().0.passwords.compared(), count, "after {name:?}");
        }
        store.close().await;
    }
}
