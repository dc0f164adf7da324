//! The queue in front of the writer, and the answers that come back from it.

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
    operation::{OperationErrors, OperationResult, WriteFailure},
};
use crate::db::{Availability, Transaction};

/// How many writes may wait. Further ones are refused at once.
const QUEUE: usize = 1024;
/// How long a write waits for its transaction to begin before it is refused: well below the 30 s after which requests
/// and most clients give up.
const WAIT_TIMEOUT: Duration = Duration::from_secs(10);

/// The sending end of the queue. Clones send to the same writer.
#[derive(Debug, Clone)]
pub(crate) struct WriteQueue {
    requests: mpsc::Sender<Request>,
    availability: Availability,
    clock: Clock,
    version_floor: u64,
}

/// A queue, and the end of it that the writer has.
pub(crate) fn write_queue(
    availability: Availability,
    clock: Clock,
    version_floor: u64,
) -> (WriteQueue, mpsc::Receiver<Request>) {
    let (requests, receiver) = mpsc::channel(QUEUE);
    (WriteQueue { requests, availability, clock, version_floor }, receiver)
}

impl WriteQueue {
    /// The context of a change that somebody asks for now.
    pub(crate) fn context(&self, actor: Actor, trace: Option<Arc<str>>) -> ChangeContext {
        ChangeContext { actor, trace, at: self.clock.now(), version_floor: self.version_floor }
    }

    /// Has the writer carry out a command, and returns its answer. From the moment the writer has it, it is carried
    /// out whether or not the answer is awaited.
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

    /// How many writes wait now.
    pub(crate) fn waiting(&self) -> usize {
        QUEUE - self.requests.capacity()
    }
}

/// A write on its way to the writer.
pub(crate) struct Request {
    pub(crate) command: Command,
    pub(crate) claim: Arc<Claim>,
    pub(crate) since: Instant,
}

/// What the writer is asked to do.
pub(crate) enum Command {
    /// Changes of components. Those of several requests share statements.
    Components(ComponentRequest),
    /// A change that is carried out by itself.
    Job(Box<dyn Job>),
}

impl Command {
    /// How many operations it counts for where a transaction is limited.
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

    /// Sends the answer, once the transaction is committed. Returns whether the write was carried out; otherwise it
    /// was refused.
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

    /// Sends the failure. Returns whether somebody waited for it.
    pub(crate) fn fail(self, failure: WriteFailure) -> bool {
        match self {
            Self::Components(request) => request.reply.fail(failure),
            Self::Job(job) => job.fail(failure),
        }
    }
}

/// A write of components, and its answer.
pub(crate) struct ComponentRequest {
    pub(crate) write: PreparedWrite,
    pub(crate) reply: Reply<ComponentAnswer>,
}

/// What a write of components came to.
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
    /// Carries it out and keeps the outcome. Returns its events, or `None` where it was refused and what it did must be
    /// undone. May be called again after the transaction was rolled back.
    async fn execute(&mut self, transaction: &Transaction) -> Result<Option<Vec<PendingEvent>>, DbErr>;

    /// Like [`Command::commit`].
    fn commit(self: Box<Self>) -> bool;

    /// Like [`Command::fail`].
    fn fail(self: Box<Self>, failure: WriteFailure) -> bool;
}

/// The outcome of a write, which is sent when its transaction is committed.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    pub(crate) outcome: Option<T>,
    sender: oneshot::Sender<Result<T, WriteFailure>>,
}

impl<T> Reply<T> {
    /// Sends the outcome. Whoever waits may have hung up.
    pub(crate) fn commit(self) {
        if let Some(outcome) = self.outcome {
            drop(self.sender.send(Ok(outcome)));
        }
    }

    /// Sends a failure. Returns whether somebody waited for it.
    pub(crate) fn fail(self, failure: WriteFailure) -> bool {
        self.sender.send(Err(failure)).is_ok()
    }
}

/// Who decides about a write that waits: the writer, which carries it out, or the caller, who withdraws it. The first
/// one wins, so a write that was refused for waiting is never carried out.
#[derive(Debug, Default)]
pub(crate) struct Claim(AtomicU8);

impl Claim {
    const WAITING: u8 = 0;
    const TAKEN: u8 = 1;
    const WITHDRAWN: u8 = 2;

    /// Takes the write for a transaction. `false` if it was withdrawn.
    pub(crate) fn take(&self) -> bool {
        self.decide(Self::TAKEN)
    }

    /// Withdraws the write. `false` if it was taken.
    fn withdraw(&self) -> bool {
        self.decide(Self::WITHDRAWN)
    }

    fn decide(&self, decision: u8) -> bool {
        let decided = self.0.compare_exchange(Self::WAITING, decision, Ordering::AcqRel, Ordering::Acquire);
        decided.is_ok() || decided == Err(decision)
    }
}
