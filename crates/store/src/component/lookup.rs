//! Reads of one component each, of which all that wait are answered by one statement.
//!
//! A statement costs more to bring to the database and back than to carry out. So one task takes what has
//! been asked for while its last statement was under way, as the writer does with writes: who asks alone is
//! answered at once, who asks with many shares the cost.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use inventory_core::{ComponentId, CoreTask};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    component::{
        read::{self, IDS_PER_STATEMENT},
        row::StoredComponent,
    },
    db::database::Database,
    error::ReadError,
};

/// How many reads may wait; further ones wait to be let in.
const QUEUE: usize = 1024;

/// Where components are asked for. Clones ask the same task.
#[derive(Debug, Clone)]
pub(crate) struct Lookup {
    requests: mpsc::Sender<Request>,
}

/// The task that answers.
pub(crate) struct Lookups {
    requests: mpsc::Receiver<Request>,
    database: Database,
    /// Lets no further read in; those that are in are answered.
    stop: CancellationToken,
}

#[derive(Debug)]
struct Request {
    id: ComponentId,
    /// The requester parses the row, so that this task is soon free for the next request.
    answer: oneshot::Sender<Result<Option<StoredComponent>, ReadError>>,
}

pub(crate) fn lookups(database: Database, stop: CancellationToken) -> (Lookup, Lookups) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (Lookup { requests: sender }, Lookups { requests: receiver, database, stop })
}

impl Lookup {
    /// The component that has this id.
    pub(crate) async fn component(&self, id: ComponentId) -> Result<Option<StoredComponent>, ReadError> {
        let closed = || ReadError::Unavailable("the store is closed".to_owned());
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request { id, answer }).await.map_err(|_closed| closed())?;
        answered.await.map_err(|_closed| closed())?
    }
}

impl CoreTask for Lookups {
    const NAME: &'static str = "lookups";

    /// Runs until it is stopped and every read that was let in is answered.
    async fn run(&mut self) {
        let mut waiting = Vec::with_capacity(IDS_PER_STATEMENT);
        loop {
            let received = tokio::select! {
                received = self.requests.recv_many(&mut waiting, IDS_PER_STATEMENT) => received,
                () = self.stop.cancelled(), if !self.requests.is_closed() => {
                    self.requests.close();
                    continue;
                }
            };
            if received == 0 {
                return;
            }
            let mut ids: Vec<_> = waiting.iter().map(|request| request.id.0).collect();
            ids.sort_unstable();
            ids.dedup();
            // A defect here must not end the task on which all these reads depend.
            let rows = AssertUnwindSafe(read::by_id(&self.database, ids)).catch_unwind().await;
            let rows = rows.unwrap_or_else(|_panic| Err(ReadError::Failed("a panic in a read".to_owned())));
            for Request { id, answer } in waiting.drain(..) {
                // The requester may have been dropped.
                let _hung_up = answer.send(match &rows {
                    Ok(rows) => Ok(rows.get(&id.0).cloned()),
                    Err(error) => Err(error.clone()),
                });
            }
        }
    }
}
