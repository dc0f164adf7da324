//! The event log as the streams of clients read it.

use std::sync::Arc;

use futures::{FutureExt, future::BoxFuture};
use inventory_core::{EventEnvelope, EventLog, LogError, Seq};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    db::{Connections, database::REPLAY_CONNECTIONS},
    entity::event_log,
    log::{log_error, signed},
};

/// How many events one read returns at most: a stream keeps them in memory until its client takes them.
const MAX_PAGE_EVENTS: usize = 64;
/// After how many bytes of event data one read ends. The last event may exceed it.
const MAX_PAGE_BYTES: usize = 64 * 1024;

/// The log over connections that nothing else uses, so that clients who read all of it do not keep other reads
/// waiting. Streams take turns in the order in which they ask.
#[derive(Debug, Clone)]
pub(crate) struct ReplayLog {
    connections: Connections,
    turns: Arc<Semaphore>,
}

impl ReplayLog {
    /// Over a pool of [`REPLAY_CONNECTIONS`].
    pub(crate) fn new(connections: Connections) -> Self {
        Self { connections, turns: Arc::new(Semaphore::new(REPLAY_CONNECTIONS as usize)) }
    }
}

impl EventLog for ReplayLog {
    fn read(&self, after: Seq, limit: usize) -> BoxFuture<'_, Result<Vec<EventEnvelope>, LogError>> {
        // In a task, so that a stream that is not polled, because its client takes nothing, keeps neither its turn nor
        // its connection.
        let page = AbortOnDropHandle::new(tokio::spawn(self.clone().page(after, limit)));
        page.map(|page| page.unwrap_or_else(|failed| Err(LogError::Unavailable(failed.to_string())))).boxed()
    }
}

impl ReplayLog {
    async fn page(self, after: Seq, limit: usize) -> Result<Vec<EventEnvelope>, LogError> {
        // Waits without a limit, since a client that waits costs nothing. The pool would give up.
        let turn = self.turns.acquire().await;
        let _turn = turn.map_err(|closed| LogError::Unavailable(closed.to_string()))?;
        let rows = event_log::Entity::find()
            .filter(event_log::Column::Seq.gt(signed(after)))
            .order_by_asc(event_log::Column::Seq)
            .limit(limit.min(MAX_PAGE_EVENTS) as u64)
            .all(&self.connections)
            .await
            .map_err(log_error)?;
        let (mut page, mut bytes) = (Vec::new(), 0);
        for row in rows {
            if bytes >= MAX_PAGE_BYTES {
                break;
            }
            bytes += row.data.len();
            page.push(EventEnvelope::try_from(row)?);
        }
        Ok(page)
    }
}
