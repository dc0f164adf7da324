//! How many components came and went on each day.

use std::collections::BTreeMap;

use inventory_core::{Event, EventEnvelope, micros};
use sea_orm::{ConnectionTrait, DbErr};
use time::{Date, Duration, OffsetDateTime};

use crate::{
    db::{Transaction, database::Database},
    error::ReadError,
};

/// How many days one answer has at most.
pub(crate) const MAX_DAYS: u16 = 366;
/// A day in the unit of the log's times.
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// On how many days the log has otherwise than is kept.
pub(crate) const COUNT_WRONG: &str = "
    SELECT count(*) FROM (
        SELECT day FROM (
            SELECT day, created, deleted FROM component_activity
            UNION ALL
            SELECT occurred_at / 86400000000,
                   CASE type WHEN 'component.created' THEN -1 ELSE 0 END,
                   CASE type WHEN 'component.deleted' THEN -1 ELSE 0 END
            FROM event_log WHERE type IN ('component.created', 'component.deleted')
        ) AS both_ways GROUP BY day HAVING sum(created) <> 0 OR sum(deleted) <> 0
    ) AS wrong";

/// What happened to components on one day (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// The day.
    pub day: Date,
    /// How many components were created.
    pub created: u64,
    /// How many were deleted.
    pub deleted: u64,
}

/// Adds events to the counts per day, in the transaction that appends them. That transaction already holds
/// the lock on the head of the log, so the row of today adds no further lock wait.
pub(crate) async fn add(
    database: &Database,
    transaction: &Transaction,
    events: &[EventEnvelope],
) -> Result<(), DbErr> {
    let mut days: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for event in events {
        let (created, deleted) = match &event.data {
            Event::ComponentCreated(_) => (1, 0),
            Event::ComponentDeleted(_) => (0, 1),
            _ => continue,
        };
        let day = days.entry(micros(event.occurred_at) / MICROS_PER_DAY).or_default();
        *day = (day.0 + created, day.1 + deleted);
    }
    let sql = "INSERT INTO component_activity AS kept (day, created, deleted) VALUES ($1, $2, $3)
               ON CONFLICT (day) DO UPDATE
               SET created = kept.created + excluded.created, deleted = kept.deleted + excluded.deleted";
    // All of one batch happened on one day, but at midnight.
    for (day, (created, deleted)) in days {
        let statement = database.statement(sql, [day.into(), created.into(), deleted.into()]);
        transaction.execute_raw(statement).await?;
    }
    Ok(())
}

/// The last `days` days, oldest first; `now` is in the last one. Days without events are included.
pub(crate) async fn activity(
    database: &Database,
    now: OffsetDateTime,
    days: u16,
) -> Result<Vec<Activity>, ReadError> {
    let days = days.clamp(1, MAX_DAYS);
    let today = micros(now) / MICROS_PER_DAY;
    let first = today - i64::from(days) + 1;
    let sql = "SELECT day, created, deleted FROM component_activity WHERE day BETWEEN $1 AND $2 ORDER BY day";
    let rows = database.reader.query_all_raw(database.statement(sql, [first.into(), today.into()])).await?;
    let start = now.date() - Duration::days(i64::from(days) - 1);
    let mut activity: Vec<_> = (0..i64::from(days))
        .map(|day| Activity { day: start + Duration::days(day), created: 0, deleted: 0 })
        .collect();
    for row in rows {
        let (day, created, deleted): (i64, i64, i64) =
            (row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        let place = usize::try_from(day - first).ok();
        if let Some(activity) = place.and_then(|place| activity.get_mut(place)) {
            activity.created = u64::try_from(created).unwrap_or_default();
            activity.deleted = u64::try_from(deleted).unwrap_or_default();
        }
    }
    Ok(activity)
}
