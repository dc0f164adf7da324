use inventory_core::{Actor, Event, EventEnvelope, EventId, LogError, Origin, Seq, from_micros};
use sea_orm::{DbBackend, Statement, entity::prelude::*};

use crate::db::insert::insert;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event_log")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub id: Uuid,
    pub r#type: String,
    pub version: i16,
    pub subject: String,
    pub origin: Uuid,
    pub actor: String,
    pub trace: Option<String>,
    pub data: String,
    pub occurred_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Inserts rows.
pub(crate) fn insert_all(backend: DbBackend, rows: impl ExactSizeIterator<Item = Model>) -> Statement {
    let into =
        "INSERT INTO event_log (seq, id, type, version, subject, origin, actor, trace, data, occurred_at)";
    let values = |row| {
        let Model { seq, id, r#type, version, subject, origin, actor, trace, data, occurred_at } = row;
        [
            seq.into(),
            id.into(),
            r#type.into(),
            version.into(),
            subject.into(),
            origin.into(),
            actor.into(),
            trace.into(),
            data.into(),
            occurred_at.into(),
        ]
    };
    insert(backend, into, rows.map(values), "")
}

impl TryFrom<Model> for EventEnvelope {
    type Error = LogError;

    fn try_from(row: Model) -> Result<Self, LogError> {
        let Model { seq, id, r#type, version, subject, origin, actor, trace, data, occurred_at } = row;
        let seq = Seq(u64::try_from(seq).unwrap_or_default());
        let corrupt = |reason: String| LogError::Corrupt { seq, reason };
        let version = u16::try_from(version).map_err(|error| corrupt(error.to_string()))?;
        let data = Event::decode(&r#type, version, &subject, &data).map_err(|error| {
            let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            corrupt(format!("{error}: {source}"))
        })?;
        Ok(Self {
            seq,
            id: EventId(id),
            origin: Origin(origin),
            actor: Actor::stored(&actor),
            trace: trace.map(Into::into),
            occurred_at: from_micros(occurred_at),
            data,
        })
    }
}
