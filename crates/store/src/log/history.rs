//! Events as people look at them: newest first, a page at a time.

use inventory_core::{ComponentId, EventEnvelope, Seq, SessionId, TokenId, UserId};
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use uuid::Uuid;

use crate::{
    db::database::Database,
    entity::{
        event_log::{self, Column, Entity},
        token, user_session,
    },
    error::ReadError,
    log::{signed, unsigned},
};

/// How many events a page has at most.
pub(crate) const MAX_PAGE_EVENTS: usize = 200;
/// How many events one page of the newest looks through. No index knows the types, which would cost every
/// write; what lies further back is on the next page.
const MAX_EVENTS_LOOKED_THROUGH: u64 = 5_000;

/// Maximum number of sessions, and of tokens, that the history of a user covers: the newest ones.
const MAX_OF_USER: u64 = 500;
/// How many refused attempts to sign in, of all users, one page of the history of one looks through.
const MAX_REFUSALS_LOOKED_THROUGH: u64 = 5_000;
/// What the refused attempts have as their subject.
const SIGN_INS: &str = "sign-ins";

/// Some events, newest first.
#[derive(Debug, Clone)]
pub struct EventPage {
    /// The events.
    pub events: Vec<EventEnvelope>,
    /// The place before which the next page begins; `None` where nothing is left.
    pub before: Option<Seq>,
}

/// What happened to a component, also to one that is no more.
pub(crate) async fn of_component(
    database: &Database,
    id: ComponentId,
    before: Option<Seq>,
    limit: usize,
) -> Result<EventPage, ReadError> {
    let mut events = Entity::find().filter(Column::Subject.eq(id.subject()));
    if let Some(before) = before {
        events = events.filter(Column::Seq.lt(signed(before)));
    }
    page(database, events, limit, None).await
}

/// Events about a user, the user's sessions and tokens, and refused sign-ins with the user's name.
pub(crate) async fn of_user(
    database: &Database,
    id: UserId,
    before: Option<Seq>,
    limit: usize,
) -> Result<EventPage, ReadError> {
    let reader = &database.reader;
    let sessions: Vec<Uuid> = user_session::Entity::find()
        .select_only()
        .column(user_session::Column::Id)
        .filter(user_session::Column::UserId.eq(id.0))
        .order_by_desc(user_session::Column::CreatedAt)
        .limit(MAX_OF_USER)
        .into_tuple()
        .all(reader)
        .await?;
    let tokens: Vec<Uuid> = token::Entity::find()
        .select_only()
        .column(token::Column::Id)
        .filter(token::Column::Owner.eq(id.0))
        .order_by_desc(token::Column::CreatedAt)
        .limit(MAX_OF_USER)
        .into_tuple()
        .all(reader)
        .await?;
    let mut refusals = Entity::find().filter(Column::Subject.eq(SIGN_INS));
    let mut subjects = vec![format!("users/{id}"), SIGN_INS.to_owned()];
    subjects.extend(sessions.into_iter().map(|id| format!("sessions/{}", SessionId(id))));
    subjects.extend(tokens.into_iter().map(|id| format!("tokens/{}", TokenId(id))));
    // The refused sign-ins of all users have one subject, and name the user in their data only.
    let about = Column::Subject.ne(SIGN_INS).or(Column::Data.contains(format!("\"user\":\"{id}\"")));
    let mut events = Entity::find().filter(Column::Subject.is_in(subjects)).filter(about);
    if let Some(before) = before {
        refusals = refusals.filter(Column::Seq.lt(signed(before)));
        events = events.filter(Column::Seq.lt(signed(before)));
    }
    let oldest: Option<i64> = refusals
        .select_only()
        .column(Column::Seq)
        .order_by_desc(Column::Seq)
        .offset(MAX_REFUSALS_LOOKED_THROUGH)
        .limit(1)
        .into_tuple()
        .one(reader)
        .await?;
    if let Some(oldest) = oldest {
        events = events.filter(Column::Seq.gt(oldest));
    }
    page(database, events, limit, oldest.map(|oldest| unsigned(oldest).next())).await
}

/// The newest events of these types.
pub(crate) async fn recent(
    database: &Database,
    types: &[&str],
    before: Seq,
    limit: usize,
) -> Result<EventPage, ReadError> {
    let oldest = Seq(before.0.saturating_sub(MAX_EVENTS_LOOKED_THROUGH));
    let events = Entity::find()
        .filter(Column::Seq.lt(signed(before)))
        .filter(Column::Seq.gte(signed(oldest)))
        .filter(Column::Type.is_in(types.iter().copied()));
    // Zero is before the first event, and so is one.
    page(database, events, limit, (oldest > Seq(1)).then_some(oldest)).await
}

/// The newest of these events. `rest` is where a further page begins if these are all.
async fn page(
    database: &Database,
    events: Select<Entity>,
    limit: usize,
    rest: Option<Seq>,
) -> Result<EventPage, ReadError> {
    let limit = limit.clamp(1, MAX_PAGE_EVENTS);
    let mut rows: Vec<event_log::Model> =
        events.order_by_desc(Column::Seq).limit(limit as u64 + 1).all(&database.reader).await?;
    // One row more than asked for tells whether there is a further page.
    let further = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().map(|row| unsigned(row.seq)).filter(|_| further);
    let events = rows.into_iter().map(EventEnvelope::try_from).collect::<Result<_, _>>();
    let events = events.map_err(|error| ReadError::Corrupt(error.to_string()))?;
    Ok(EventPage { events, before: last.or(rest) })
}
