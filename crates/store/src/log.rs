//! The event log in the database: its head, its tail, and everything between.

pub(crate) mod activity;
pub(crate) mod history;
pub(crate) mod replay;
pub(crate) mod tail;

use futures::future::{BoxFuture, FutureExt};
use inventory_core::{EventEnvelope, EventId, EventLog, LogError, Seq};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::OnConflict,
};
use uuid::Uuid;

use crate::{
    db::{Bind, Connections, Transaction, database::Database},
    entity::{event_head, event_log},
    error::{OpenError, ReadError},
};

/// How many event rows one statement inserts. Each row binds ten values, and SQLite takes 32,766.
const ROWS_PER_INSERT: usize = 256;

/// The log as subscribers read it.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    connections: Connections,
}

impl Log {
    /// The log, read on these connections.
    pub(crate) fn new(connections: Connections) -> Self {
        Self { connections }
    }
}

impl EventLog for Log {
    fn read(&self, after: Seq, limit: usize) -> BoxFuture<'_, Result<Vec<EventEnvelope>, LogError>> {
        async move {
            event_log::Entity::find()
                .filter(event_log::Column::Seq.gt(signed(after)))
                .order_by_asc(event_log::Column::Seq)
                .limit(limit as u64)
                .all(&self.connections)
                .await
                .map_err(log_error)?
                .into_iter()
                .map(EventEnvelope::try_from)
                .collect()
        }
        .boxed()
    }
}

/// Why the log cannot be read, by what the database says.
pub(crate) fn log_error(error: DbErr) -> LogError {
    match ReadError::from(error) {
        ReadError::Unavailable(reason) => LogError::Unavailable(reason),
        error => LogError::Failed(error.to_string()),
    }
}

/// The identity of the log and its last event. The first process to open a database gives it its identity.
pub(crate) async fn open_head(database: &Database) -> Result<(String, Seq), OpenError> {
    let read = |error: DbErr| OpenError::Read(error.into());
    if let Some(head) = event_head::Entity::find().one(&database.reader).await.map_err(read)? {
        return Ok((head.epoch, unsigned(head.seq)));
    }
    let head =
        event_head::ActiveModel { id: Set(1), epoch: Set(Uuid::now_v7().simple().to_string()), seq: Set(0) };
    let first = OnConflict::column(event_head::Column::Id).do_nothing().to_owned();
    event_head::Entity::insert(head)
        .on_conflict(first)
        .exec_without_returning(database.writer())
        .await
        .map_err(read)?;
    let head = event_head::Entity::find().one(database.writer()).await.map_err(read)?;
    let head =
        head.ok_or_else(|| OpenError::Read(ReadError::Corrupt("the head of the event log".to_owned())))?;
    Ok((head.epoch, unsigned(head.seq)))
}

/// The id of the event with a number, if there is one.
pub(crate) async fn event_id(database: &Database, seq: Seq) -> Result<Option<EventId>, ReadError> {
    let sql = "SELECT type, id FROM event_log WHERE seq = $1".to_owned();
    let rows = database.hot.rows::<Uuid>(sql, vec![Bind::Integer(signed(seq))]).await?;
    Ok(rows.into_iter().next().map(|(_type, id)| EventId(id)))
}

/// Gives out the next `count` places and returns the first. The head stays locked until the commit, so this
/// comes last in a transaction.
pub(crate) async fn advance(
    database: &Database,
    transaction: &Transaction,
    count: usize,
) -> Result<Seq, DbErr> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let sql = "UPDATE event_head SET seq = seq + $1 WHERE id = 1 RETURNING seq";
    let row = transaction.query_one_raw(database.statement(sql, [count.into()])).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("the head of the event log".to_owned()))?;
    let last: i64 = row.try_get_by_index(0)?;
    Ok(unsigned(last - count + 1))
}

/// Appends events whose places were given out.
pub(crate) async fn append(transaction: &Transaction, rows: Vec<event_log::Model>) -> Result<(), DbErr> {
    let backend = transaction.get_database_backend();
    let mut rows = rows.into_iter();
    while rows.len() > 0 {
        let some: Vec<_> = rows.by_ref().take(ROWS_PER_INSERT).collect();
        transaction.execute_raw(event_log::insert_all(backend, some.into_iter())).await?;
    }
    Ok(())
}

/// Whether an event was committed: asked after a commit whose answer was lost.
pub(crate) async fn contains(connection: &impl ConnectionTrait, id: Uuid) -> Result<bool, DbErr> {
    let found = event_log::Entity::find()
        .select_only()
        .column(event_log::Column::Seq)
        .filter(event_log::Column::Id.eq(id))
        .into_tuple::<i64>()
        .one(connection)
        .await?;
    Ok(found.is_some())
}

pub(crate) fn unsigned(seq: i64) -> Seq {
    Seq(u64::try_from(seq).unwrap_or_default())
}

pub(crate) fn signed(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}
