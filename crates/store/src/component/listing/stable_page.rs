//! Components that moved in the order of a list while it was walked.
//!
//! A change of the sorted value moves a component, perhaps from the pages that were read to those that were
//! not, or back; in a plain walk it would then be seen twice or never. The event log knows where it was: so
//! long as a walk lasts, a component keeps the place that it had when the walk began, and is shown there as it
//! is now.

use inventory_core::{Amount, ComponentId, ComponentUpdated, Seq, micros};
use sea_orm::DbBackend;
use serde::Deserialize;
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::{
    component::{
        condition::conditions,
        query::{Column, ColumnType, Key, PageCursor, Query},
    },
    db::{Bind, sql::Sql},
    error::ReadError,
    log::signed,
};

/// How many events a walk may last. Each of its pages looks through those since its beginning.
pub(super) const MAX_WALK_EVENTS: u64 = 50_000;

/// A component that moved: its id, and as JSON the value by which it was sorted when the walk began.
#[derive(Debug, Deserialize)]
pub(super) struct Moved(Uuid, Value);

/// Whether a change can move a component in the order of this column.
pub(super) fn can_move(column: Column) -> bool {
    !matches!(column, Column::Id | Column::CreatedAt | Column::CreatedBy)
}

/// The table `moved` of all that moved since the walk began. The first event that
/// changed the column has its value as it was until then.
pub(super) fn table(sql: &mut Sql, column: Column, since: Seq) {
    let (id, key, changed) = match sql.backend {
        DbBackend::Sqlite => (
            "unhex(replace(substr(log.subject, 12), '-', ''))",
            format!("log.data -> '$.before.{}'", column.as_str()),
            "EXISTS (SELECT 1 FROM json_each(data, '$.changed') WHERE value = ",
        ),
        _ => (
            "substr(log.subject, 12)::uuid",
            format!("(log.data::jsonb -> 'before' -> '{}')::text", column.as_str()),
            "((data::jsonb -> 'changed') @> to_jsonb(",
        ),
    };
    sql.push("moved AS MATERIALIZED (SELECT ");
    sql.push(&format!("{id} AS moved_id, {key} AS moved_key FROM event_log AS log WHERE log.seq IN ("));
    sql.push("SELECT min(seq) AS seq FROM event_log WHERE seq > ");
    sql.bind(Bind::Integer(signed(since)));
    // A walk that has lasted too long is refused, and this is not done for it.
    sql.push(&format!(" AND (SELECT seq FROM event_head) - {MAX_WALK_EVENTS} <= "));
    sql.bind(Bind::Integer(signed(since)));
    sql.push(" AND type = ");
    sql.bind(Bind::Text(ComponentUpdated::TYPE.to_owned()));
    // These change with every change.
    if !matches!(column, Column::UpdatedAt | Column::UpdatedBy | Column::Version) {
        sql.push(" AND ");
        sql.push(changed);
        sql.bind(Bind::Text(column.as_str().to_owned()));
        sql.push(if sql.backend == DbBackend::Sqlite { ")" } else { "::text))" });
    }
    // Not by the subject itself: SQLite would follow its index through the whole log.
    sql.push(" GROUP BY subject || ''))");
}

/// Those of them that are still there and meet the conditions, as a JSON array of [`Moved`].
pub(super) fn select(sql: &mut Sql, query: &Query) {
    let (join, id) = match sql.backend {
        DbBackend::Sqlite => ("group_concat", "lower(hex(id))"),
        _ => ("string_agg", "id"),
    };
    sql.push(&format!(
        "(SELECT '[' || coalesce({join}('[\"' || {id} || '\",' || moved_key || ']', ','), '')"
    ));
    sql.push(" || ']' FROM moved JOIN component ON id = moved_id WHERE ");
    conditions(sql, query);
    sql.push(")");
}

impl Moved {
    /// Where it was.
    pub(super) fn place(self, column: Column, since: Seq) -> Result<PageCursor, ReadError> {
        let Self(id, value) = self;
        let corrupt =
            || ReadError::Corrupt(format!("the {} of component {id} before a change", column.as_str()));
        let key = key(column, value).ok_or_else(corrupt)?;
        Ok(PageCursor { key, id: ComponentId(id), since })
    }
}

/// A member of a component as its column is sorted.
fn key(column: Column, value: Value) -> Option<Key> {
    Some(match (column.column_type(), value) {
        (ColumnType::Amount, Value::Null) => Key::Integer(-1),
        (ColumnType::Amount, Value::String(text)) => Key::Integer(text.parse::<Amount>().ok()?.micros()),
        (ColumnType::Time, Value::String(text)) => {
            Key::Integer(micros(OffsetDateTime::parse(&text, &Rfc3339).ok()?))
        }
        (ColumnType::Integer, Value::Number(number)) => Key::Integer(number.as_i64()?),
        (ColumnType::Text, Value::Null) => Key::Text(String::new()),
        (ColumnType::Text, Value::String(text)) => Key::Text(text),
        (ColumnType::Tags, value @ Value::Array(_)) => Key::Text(value.to_string()),
        _ => return None,
    })
}
