//! Changes that the writer carries out one by one, each a type with its own result and its own conflicts: the way
//! to write for every resource but components, whose changes share statements.

use std::sync::Arc;

use inventory_core::{Actor, Event};
use sea_orm::DbErr;

use super::{
    context::{ChangeContext, PendingEvent},
    failure::{WriteError, WriteFailure},
    queue::{Command, Job, Reply, WriteQueue},
};
use crate::db::Transaction;

/// A change of a resource.
#[async_trait::async_trait]
pub(crate) trait ResourceCommand: Sized + Send + Sync + 'static {
    /// What it returns.
    type Output: Send + Sync + 'static;
    /// Why it may be refused.
    type Conflict: Send + Sync + 'static;

    /// Carries it out in a transaction, and returns its events too.
    async fn execute(&self, transaction: &Transaction, context: &ChangeContext) -> Executed<Self>;
}

/// The result and the events of a command, or why it was refused.
pub(crate) type Executed<C> =
    Result<Result<(<C as ResourceCommand>::Output, Vec<Event>), <C as ResourceCommand>::Conflict>, DbErr>;

/// Has the writer carry out a command.
pub(crate) async fn submit<C: ResourceCommand>(
    queue: &WriteQueue,
    command: C,
    actor: Actor,
    trace: Option<Arc<str>>,
) -> Result<C::Output, WriteError<C::Conflict>> {
    let context = queue.context(actor, trace);
    let answer =
        queue.submit(|reply| Command::Job(Box::new(ResourceJob { command, context, reply }))).await?;
    answer.map_err(WriteError::Conflict)
}

struct ResourceJob<C: ResourceCommand> {
    command: C,
    context: ChangeContext,
    reply: Reply<Result<C::Output, C::Conflict>>,
}

#[async_trait::async_trait]
impl<C: ResourceCommand> Job for ResourceJob<C> {
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
