//! The queue of the writer, and the replies to its callers.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use inventory_core::{Actor, Clock};
use sea_orm::DbErr;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Duration, Instant},
};

use super::{
    command::PreparedWrite,
    context::{ChangeContext, PendingEvent},
    failure::WriteFailure,
    operation::{OperationErrors, OperationResult},
};
use crate::db::{Availability, Transaction};

/// Capacity of the queue, in writes. Further ones are refused at once.
const QUEUE: usize = 1024;
/// How long a write waits for its transaction to begin before it is refused. This is well below 30 s, the
/// timeout of requests and of most clients.
const WAIT_TIMEOUT: Duration = Duration::from_secs(10);

/// The sender of the queue. Clones send to the same writer.
#[derive(Debug, Clone)]
pub(crate) struct WriteQueue {
    requests: mpsc::Sender<Request>,
    availability: Availability,
    clock: Clock,
    version_floor: u64,
}

/// Creates a queue: the sender, and the receiver for the writer.
pub(crate) fn write_queue(
    availability: Availability,
    clock: Clock,
    version_floor: u64,
) -> (WriteQueue, mpsc::Receiver<Request>) {
    let (requests, receiver) = mpsc::channel(QUEUE);
    (WriteQueue { requests, availability, clock, version_floor }, receiver)
}

impl WriteQueue {
    /// The context of a change that is requested now.
    pub(crate) fn context(&self, actor: Actor, trace: Option<Arc<str>>) -> ChangeContext {
        ChangeContext { actor, trace, at: self.clock.now(), version_floor: self.version_floor }
    }

    /// Sends a command to the writer and waits for its reply. Once the writer has claimed the command, it is
    /// carried out even if the caller stops waiting.
    pub(crate) async fn submit<T>(
        &self,
        command: impl FnOnce(Reply<T>) -> Command,
    ) -> Result<T, WriteFailure> {
        self.availability.check().map_err(WriteFailure::Unavailable)?;
        let (sender, mut answered) = oneshot::channel();
        let claim = Arc::<Claim>::default();
        let command = command(Reply { outcome: None, sender });
        let request = Request { command, claim: Arc::clone(&claim), since: Instant::now() };
        self.requests.try_send(request).map_err(|_full_or_closed| WriteFailure::Busy)?;
        let refused = tokio::select! {
            biased;
            answer = &mut answered => return answer.unwrap_or(Err(WriteFailure::OutcomeUnknown)),
            reason = self.availability.lost() => WriteFailure::Unavailable(reason),
            () = tokio::time::sleep(WAIT_TIMEOUT) => WriteFailure::Busy,
        };
        if claim.withdraw() {
            Err(refused)
        } else {
            answered.await.unwrap_or(Err(WriteFailure::OutcomeUnknown))
        }
    }

    /// The number of waiting writes.
    pub(crate) fn waiting(&self) -> usize {
        QUEUE - self.requests.capacity()
    }
}

/// A write in the queue.
pub(crate) struct Request {
    pub(crate) command: Command,
    pub(crate) claim: Arc<Claim>,
    pub(crate) since: Instant,
}

/// A request to the writer.
pub(crate) enum Command {
    /// Operations on components. Those of several requests share statements.
    Components(ComponentRequest),
    /// A change that is carried out by itself.
    Job(Box<dyn Job>),
}

impl Command {
    /// The number of operations that count towards the limit of a transaction.
    pub(crate) fn operations(&self) -> usize {
        match self {
            Self::Components(request) => request.write.commands.len().max(1),
            Self::Job(_) => 1,
        }
    }

    pub(crate) fn components(&self) -> Option<&ComponentRequest> {
        match self {
            Self::Components(request) => Some(request),
            Self::Job(_) => None,
        }
    }

    pub(crate) fn components_mut(&mut self) -> Option<&mut ComponentRequest> {
        match self {
            Self::Components(request) => Some(request),
            Self::Job(_) => None,
        }
    }

    /// Sends the reply after the transaction was committed. Returns whether the write was carried out;
    /// otherwise it was refused.
    pub(crate) fn commit(self) -> bool {
        match self {
            Self::Components(request) => {
                let done = matches!(request.reply.outcome, Some(ComponentAnswer::Done { .. }));
                request.reply.commit();
                done
            }
            Self::Job(job) => job.commit(),
        }
    }

    /// Sends the failure. Returns whether the caller was still waiting.
    pub(crate) fn fail(self, failure: WriteFailure) -> bool {
        match self {
            Self::Components(request) => request.reply.fail(failure),
            Self::Job(job) => job.fail(failure),
        }
    }
}

/// A write of components, and its reply.
pub(crate) struct ComponentRequest {
    pub(crate) write: PreparedWrite,
    pub(crate) reply: Reply<ComponentAnswer>,
}

/// The outcome of a write of components.
#[derive(Debug)]
pub(crate) enum ComponentAnswer {
    /// One result for each operation.
    Done {
        results: Vec<OperationResult>,
        replayed: bool,
    },
    Refused(OperationErrors),
    /// The idempotency key belongs to another request.
    KeyReused,
}

/// A change of several statements that the writer carries out within a savepoint.
#[async_trait::async_trait]
pub(crate) trait Job: Send + Sync {
    /// Carries it out and stores the outcome. Returns its events, or `None` if it was refused and must be
    /// rolled back. May be called again after the transaction was rolled back.
    async fn execute(&mut self, transaction: &Transaction) -> Result<Option<Vec<PendingEvent>>, DbErr>;

    /// Like [`Command::commit`].
    fn commit(self: Box<Self>) -> bool;

    /// Like [`Command::fail`].
    fn fail(self: Box<Self>, failure: WriteFailure) -> bool;
}

/// The outcome of a write, sent after its transaction was committed.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    pub(crate) outcome: Option<T>,
    sender: oneshot::Sender<Result<T, WriteFailure>>,
}

impl<T> Reply<T> {
    /// Sends the outcome. The receiver may have been dropped.
    pub(crate) fn commit(self) {
        if let Some(outcome) = self.outcome {
            drop(self.sender.send(Ok(outcome)));
        }
    }

    /// Sends a failure. Returns whether the caller was still waiting.
    pub(crate) fn fail(self, failure: WriteFailure) -> bool {
        self.sender.send(Err(failure)).is_ok()
    }
}

/// The claim on a waiting write: either the writer takes it, or the caller cancels it. The first one wins, so
/// a write that was refused after waiting too long is never carried out.
#[derive(Debug, Default)]
pub(crate) struct Claim(AtomicU8);

impl Claim {
    const WAITING: u8 = 0;
    const TAKEN: u8 = 1;
    const WITHDRAWN: u8 = 2;

    /// Claims the write for a transaction. Returns `false` if it was cancelled.
    pub(crate) fn take(&self) -> bool {
        self.decide(Self::TAKEN)
    }

    /// Cancels the write. Returns `false` if the writer has claimed it.
    fn withdraw(&self) -> bool {
        self.decide(Self::WITHDRAWN)
    }

    fn decide(&self, decision: u8) -> bool {
        let decided = self.0.compare_exchange(Self::WAITING, decision, Ordering::AcqRel, Ordering::Acquire);
        decided.is_ok() || decided == Err(decision)
    }
}
