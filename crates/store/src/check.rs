//! Whether a database is as it should be.

mod people;
mod report;

pub use self::report::CheckReport;
use std::collections::HashMap;

use inventory_core::{Component, ComponentId, Event, EventEnvelope, EventLog, LogError, Seq};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Value};
use uuid::Uuid;

use crate::{
    component::{count, row::StoredComponent, search_index},
    db::{Transaction, database::Database},
    entity::component,
    error::ReadError,
    log::{Log, activity, unsigned},
};

/// How many rows one statement reads.
const PAGE: usize = 500;

/// Verifies every invariant.
pub(crate) async fn check(database: &Database) -> Result<CheckReport, ReadError> {
    let mut report = CheckReport::default();
    // One snapshot for the rows, so that a service that writes meanwhile does not look like a violation. The
    // log only grows, so it is read up to the head of that snapshot.
    let snapshot = database.begin_snapshot().await?;
    let head = scalar(&snapshot, database, "SELECT seq FROM event_head").await?;
    report.head = unsigned(head);
    count_agrees(&snapshot, database, &mut report).await?;
    activity_agrees(&snapshot, database, &mut report).await?;
    search_agrees(&snapshot, database, &mut report).await?;
    rows_agree(&snapshot, database, &mut report).await?;
    nothing_vanished(&snapshot, database, &mut report).await?;
    let last = scalar(&snapshot, database, "SELECT coalesce(max(seq), 0) FROM event_log").await?;
    if last != head {
        report.violation(format!("the head of the event log is {head}, but the last event is {last}"));
    }
    snapshot.rollback().await?;
    log_is_sound(database, &mut report).await?;
    people::agree(database, &mut report).await?;
    Ok(report)
}

async fn scalar(connection: &impl ConnectionTrait, database: &Database, sql: &str) -> Result<i64, ReadError> {
    let row = connection.query_one_raw(database.statement(sql, [])).await?;
    let row = row.ok_or_else(|| ReadError::Corrupt(format!("{sql} has no answer")))?;
    Ok(row.try_get_by_index(0)?)
}

async fn count_agrees(
    snapshot: &Transaction,
    database: &Database,
    report: &mut CheckReport,
) -> Result<(), ReadError> {
    let kept = scalar(snapshot, database, &format!("SELECT {}", count::kept(database.backend()))).await?;
    let counted = scalar(snapshot, database, "SELECT count(*) FROM component").await?;
    if kept != counted {
        report.violation(format!(
            "the stored count is {kept}, but there are {counted} components: \
             `inventory check --repair-count` repairs it"
        ));
    }
    Ok(())
}

/// The log has as many creations and deletions of each day as are kept.
async fn activity_agrees(
    snapshot: &Transaction,
    database: &Database,
    report: &mut CheckReport,
) -> Result<(), ReadError> {
    let wrong = scalar(snapshot, database, activity::COUNT_WRONG).await?;
    if wrong > 0 {
        report.violation(format!("what is kept of {wrong} days is not what the event log has of them"));
    }
    Ok(())
}

/// SQLite's index of the search has each row as it is, but for those that wait for it. A database that was
/// dumped and read back may have other rowids.
async fn search_agrees(
    snapshot: &Transaction,
    database: &Database,
    report: &mut CheckReport,
) -> Result<(), ReadError> {
    if database.backend() != DbBackend::Sqlite {
        return Ok(());
    }
    let wrong = scalar(snapshot, database, search_index::COUNT_WRONG).await?;
    if wrong > 0 {
        report.violation(format!(
            "the search index is wrong for {wrong} components: run `{}` in a database shell to repair it",
            search_index::INDEX_ALL
        ));
    }
    Ok(())
}

/// Each row is as its last event says.
async fn rows_agree(
    snapshot: &Transaction,
    database: &Database,
    report: &mut CheckReport,
) -> Result<(), ReadError> {
    let subject = match database.backend() {
        DbBackend::Sqlite => {
            "'components/' || lower(substr(hex(c.id), 1, 8) || '-' || substr(hex(c.id), 9, 4) || '-' || \
             substr(hex(c.id), 13, 4) || '-' || substr(hex(c.id), 17, 4) || '-' || substr(hex(c.id), 21))"
        }
        _ => "'components/' || c.id::text",
    };
    let row = component::json_row(database.backend());
    let sql = format!(
        "SELECT c.row, c.id, e.seq, e.type, e.version, e.subject, e.data
           FROM (SELECT id, {row} AS row FROM component WHERE id > $1 ORDER BY id LIMIT {PAGE}) c
           LEFT JOIN event_log e ON e.seq = (SELECT max(seq) FROM event_log WHERE subject = {subject})
          ORDER BY c.id"
    );
    let mut after = Uuid::nil();
    loop {
        let rows = snapshot.query_all_raw(database.statement(&sql, [after.into()])).await?;
        for row in &rows {
            after = row.try_get_by_index(1)?;
            report.components += 1;
            match StoredComponent::new(row.try_get_by_index::<String>(0)?).component() {
                Ok(component) => row_agrees(row, &component, report)?,
                Err(error) => report.violation(error.to_string()),
            }
        }
        if rows.len() < PAGE {
            return Ok(());
        }
    }
}

fn row_agrees(row: &QueryResult, component: &Component, report: &mut CheckReport) -> Result<(), ReadError> {
    let name = format!("component {} ({:?})", component.id, component.name.as_str());
    let Some(seq) = row.try_get_by_index::<Option<i64>>(2)? else {
        report.violation(format!("{name} has no event: it was inserted past the service"));
        return Ok(());
    };
    let r#type: String = row.try_get_by_index(3)?;
    let version: i16 = row.try_get_by_index(4)?;
    let subject: String = row.try_get_by_index(5)?;
    let data: String = row.try_get_by_index(6)?;
    match Event::decode(&r#type, u16::try_from(version).unwrap_or_default(), &subject, &data) {
        Ok(Event::ComponentCreated(event)) if *event.component == *component => {}
        Ok(Event::ComponentUpdated(event)) if *event.after == *component => {}
        Ok(Event::ComponentCreated(_) | Event::ComponentUpdated(_)) => {
            report.violation(format!(
                "{name} is not as its last event, {seq}, says: it was changed past the service"
            ));
        }
        Ok(Event::ComponentDeleted(_)) => {
            report.violation(format!("{name} is there, but its last event, {seq}, says that it was deleted"));
        }
        Ok(_) => {
            report.violation(format!("{name} has a last event, {seq}, of a type that is not a component's"));
        }
        Err(error) => report.violation(format!("event {seq} of {name} cannot be read: {error}")),
    }
    Ok(())
}

/// Each component that was created and not deleted has its row.
async fn nothing_vanished(
    snapshot: &Transaction,
    database: &Database,
    report: &mut CheckReport,
) -> Result<(), ReadError> {
    let id = match database.backend() {
        DbBackend::Sqlite => "unhex(replace(substr(e.subject, 12), '-', ''))",
        // Guarded, so that a subject that is none is a violation and not an error.
        _ => "CASE WHEN substr(e.subject, 12) ~ '^[0-9a-f-]{36}$' THEN substr(e.subject, 12)::uuid END",
    };
    let sql = format!(
        "SELECT e.seq, e.subject FROM event_log e
          WHERE e.seq > $1 AND e.type IN ('component.created', 'component.updated')
            AND NOT EXISTS (SELECT 1 FROM event_log l WHERE l.subject = e.subject AND l.seq > e.seq)
            AND NOT EXISTS (SELECT 1 FROM component c WHERE c.id = {id})
          ORDER BY e.seq LIMIT {PAGE}"
    );
    let mut after = 0_i64;
    loop {
        let rows = snapshot.query_all_raw(database.statement(&sql, [Value::from(after)])).await?;
        for row in &rows {
            after = row.try_get_by_index(0)?;
            let subject: String = row.try_get_by_index(1)?;
            let id = subject.trim_start_matches("components/");
            report.violation(format!(
                "component {id} is gone without an event: it was deleted past the service (its last event is {after})"
            ));
        }
        if rows.len() < PAGE {
            return Ok(());
        }
    }
}

/// The log has no gap, every event can be read, and each component's versions follow one another.
async fn log_is_sound(database: &Database, report: &mut CheckReport) -> Result<(), ReadError> {
    let log = Log::new(database.long.clone());
    let mut versions: HashMap<ComponentId, u64> = HashMap::new();
    let mut after = Seq::default();
    while after < report.head {
        let page = match log.read(after, PAGE).await {
            Ok(page) => page,
            Err(LogError::Unavailable(error)) => return Err(ReadError::Unavailable(error)),
            Err(LogError::Failed(error)) => return Err(ReadError::Failed(error)),
            Err(error) => {
                report.violation(error.to_string());
                return Ok(());
            }
        };
        if page.is_empty() {
            report.violation(format!("the event log ends at {after}, before its head"));
            return Ok(());
        }
        let head = report.head;
        for event in page.into_iter().take_while(|event| event.seq <= head) {
            if event.seq != after.next() {
                report.violation(format!(
                    "event {} is missing: event {} comes next",
                    after.next(),
                    event.seq
                ));
            }
            after = event.seq;
            report.events += 1;
            versions_follow(&event, &mut versions, report);
        }
    }
    Ok(())
}

fn versions_follow(
    event: &EventEnvelope,
    versions: &mut HashMap<ComponentId, u64>,
    report: &mut CheckReport,
) {
    let (id, before, after) = match &event.data {
        Event::ComponentCreated(created) => (created.component.id, None, Some(created.component.version)),
        Event::ComponentUpdated(updated) => {
            (updated.after.id, Some(updated.before.version), Some(updated.after.version))
        }
        Event::ComponentDeleted(deleted) => (deleted.component.id, Some(deleted.component.version), None),
        _ => return,
    };
    // A row that was inserted or changed past the service is named elsewhere; its later events are followed
    // from where they begin.
    if let (Some(known), Some(before)) = (versions.get(&id), before)
        && *known != before
    {
        report.violation(format!(
            "event {} of component {id} begins at version {before}, but the event before it ended at {known}",
            event.seq
        ));
    }
    match after {
        Some(after) => versions.insert(id, after),
        None => versions.remove(&id),
    };
}
