//! The number of components, as the database keeps it.

use inventory_core::Seq;
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use crate::{db::database::Database, error::ReadError, log::unsigned};

/// The count that the database keeps beside what is really there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountAudit {
    /// The count that is kept.
    pub kept: i64,
    /// `COUNT(*)` at the same moment.
    pub counted: i64,
}

impl CountAudit {
    /// 0 when healthy.
    pub fn drift(self) -> i64 {
        self.kept - self.counted
    }
}

/// The key of the advisory lock under which one process at a time sums up PostgreSQL's deltas.
const COMPACTION_LOCK: i64 = 7_203_411;

/// The kept count as an SQL expression.
pub(crate) fn kept(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "(SELECT n FROM component_count)",
        _ => "(SELECT coalesce(sum(n), 0)::bigint FROM component_count_delta)",
    }
}

/// The kept count and the head of the log, as one moment: one statement sees one snapshot.
pub(crate) async fn snapshot(database: &Database) -> Result<(u64, Seq), ReadError> {
    database.verify_file()?;
    let kept = kept(database.backend());
    let sql = format!("SELECT CAST(seq AS TEXT), {kept} FROM event_head");
    let answer = database.hot.read(sql, Vec::new()).await?;
    let (head, components) =
        answer.ok_or_else(|| ReadError::Corrupt("the head of the event log".to_owned()))?;
    let head = head.parse().map_err(|_| ReadError::Corrupt("the head of the event log".to_owned()))?;
    Ok((u64::try_from(components).unwrap_or_default(), unsigned(head)))
}

/// The kept count beside the real one, as one moment.
pub(crate) async fn audit(database: &Database) -> Result<CountAudit, ReadError> {
    let sql = format!("SELECT {}, (SELECT count(*) FROM component)", kept(database.backend()));
    audit_of(&database.long, database, &sql).await
}

/// Sets the kept count to the real one while nobody can insert or delete.
pub(crate) async fn repair(database: &Database) -> Result<CountAudit, ReadError> {
    let transaction = database.begin().await?;
    if database.backend() == DbBackend::Postgres {
        transaction.execute_unprepared("LOCK TABLE component IN SHARE ROW EXCLUSIVE MODE").await?;
    }
    let sql = format!("SELECT {}, (SELECT count(*) FROM component)", kept(database.backend()));
    let audit = audit_of(&transaction, database, &sql).await?;
    let repair = match database.backend() {
        DbBackend::Sqlite => "UPDATE component_count SET n = (SELECT count(*) FROM component)",
        _ => {
            "DELETE FROM component_count_delta;
             INSERT INTO component_count_delta SELECT count(*) FROM component"
        }
    };
    transaction.execute_unprepared(repair).await?;
    transaction.commit().await?;
    Ok(audit)
}

async fn audit_of(
    connection: &impl ConnectionTrait,
    database: &Database,
    sql: &str,
) -> Result<CountAudit, ReadError> {
    let row = connection.query_one_raw(database.statement(sql, [])).await?;
    let row = row.ok_or_else(|| ReadError::Corrupt("the count of components".to_owned()))?;
    Ok(CountAudit { kept: row.try_get_by_index(0)?, counted: row.try_get_by_index(1)? })
}

/// Sums up the deltas that PostgreSQL's triggers append. Nothing to do on SQLite.
pub(crate) async fn compact(database: &Database) -> Result<(), DbErr> {
    if database.backend() != DbBackend::Postgres {
        return Ok(());
    }
    // A process that does not get the lock leaves the work to the one that has it. `> 0`, not `> 1`: a row
    // that was deleted must come back.
    let sql = format!(
        "WITH l AS MATERIALIZED (SELECT pg_try_advisory_xact_lock({COMPACTION_LOCK}) AS ok),
              d AS (DELETE FROM component_count_delta WHERE (SELECT ok FROM l) RETURNING n)
         INSERT INTO component_count_delta SELECT sum(n) FROM d HAVING count(*) > 0"
    );
    database.reader.execute_unprepared(&sql).await?;
    Ok(())
}
