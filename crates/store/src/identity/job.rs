//! How the writer carries out a change of users, sessions or tokens.

use inventory_core::{Actor, Event};
use sea_orm::DbErr;

use crate::{
    db::Transaction,
    write::{ChangeContext, Command, Job, PendingEvent, Reply, WriteError, WriteFailure, WriteQueue},
};

/// A change of users, sessions or tokens.
#[async_trait::async_trait]
pub(super) trait IdentityCommand: Sized + Send + Sync + 'static {
    /// What it returns.
    type Output: Send + Sync + 'static;
    /// Why it may be refused.
    type Conflict: Send + Sync + 'static;

    /// Carries it out in a transaction, and returns its events too.
    async fn execute(&self, transaction: &Transaction, context: &ChangeContext) -> Executed<Self>;
}

/// The result and the events of a command, or why it was refused.
pub(super) type Executed<C> =
    Result<Result<(<C as IdentityCommand>::Output, Vec<Event>), <C as IdentityCommand>::Conflict>, DbErr>;

/// Has the writer carry out a command.
pub(super) async fn submit<C: IdentityCommand>(
    queue: &WriteQueue,
    command: C,
    actor: Actor,
) -> Result<C::Output, WriteError<C::Conflict>> {
    let context = queue.context(actor, None);
    let answer =
        queue.submit(|reply| Command::Job(Box::new(IdentityJob { command, context, reply }))).await?;
    answer.map_err(WriteError::Conflict)
}

struct IdentityJob<C: IdentityCommand> {
    command: C,
    context: ChangeContext,
    reply: Reply<Result<C::Output, C::Conflict>>,
}

#[async_trait::async_trait]
impl<C: IdentityCommand> Job for IdentityJob<C> {
    async fn execute(&mut self, transaction: &Transaction) -> Result<Option<Vec<PendingEvent>>, DbErr> {
        let (outcome, events) = match self.command.execute(transaction, &self.context).await? {
            Ok((output, events)) => {
                let events = events.into_iter().map(|event| PendingEvent::new(event, &self.context));
                (Ok(output), Some(events.collect()))
            }
            Err(conflict) => (Err(conflict), None),
        };
        self.reply.outcome = Some(outcome);
        Ok(events)
    }

    fn commit(self: Box<Self>) -> bool {
        let done = matches!(self.reply.outcome, Some(Ok(_)));
        self.reply.commit();
        done
    }

    fn fail(self: Box<Self>, failure: WriteFailure) -> bool {
        self.reply.fail(failure)
    }
}
