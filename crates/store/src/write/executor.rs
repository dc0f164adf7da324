//! One transaction of the writer: many writes, each all or nothing.
//!
//! Consecutive commands of the same kind are carried out by one statement, within a write and across writes.
//! A savepoint is set only if a write may have to be rolled back alone.

use std::{
    collections::{HashMap, HashSet},
    mem::discriminant,
    sync::Arc,
};

use inventory_core::{Component, ComponentCreated, ComponentDeleted, ComponentId, ComponentUpdated};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::{
    command::{ComponentCommand, PreparedWrite},
    context::{ChangeContext, PendingEvent},
    idempotency::{self, Claim},
    operation::{Conflict, OperationError, OperationErrors, OperationResult, VersionPrecondition},
    queue::{Command, ComponentAnswer, ComponentRequest, Job, Request},
};
use crate::{
    db::{
        Transaction,
        error_class::{DbErrorClass, classify},
    },
    entity::component,
    error::ReadError,
};

/// Maximum number of rows that one statement inserts, reads or deletes. Each inserted row binds 21 values,
/// and SQLite allows 32,766.
const ROWS_PER_STATEMENT: usize = 256;

/// The result of a command, with its event if it changed something.
type Executed = Result<(OperationResult, Option<PendingEvent>), Conflict>;

/// Carries out requests, stores the outcome in each, and returns the events of those that were not refused.
pub(crate) async fn execute(
    transaction: &Transaction,
    requests: &mut [Request],
) -> Result<Vec<PendingEvent>, DbErr> {
    let mut events = Vec::new();
    let mut rest = requests;
    while let [first, ..] = rest {
        match &mut first.command {
            Command::Job(job) => {
                execute_job(transaction, &mut **job, &mut events).await?;
                rest = &mut rest[1..];
            }
            Command::Components(_) => {
                let count = plain_prefix(rest);
                let (together, after) = rest.split_at_mut(count.max(1));
                let mut together: Vec<_> =
                    together.iter_mut().filter_map(|request| request.command.components_mut()).collect();
                match &mut together[..] {
                    [alone] if count == 0 => execute_write(transaction, alone, &mut events).await?,
                    together => execute_together(transaction, together, &mut events).await?,
                }
                rest = after;
            }
        }
    }
    Ok(events)
}

/// The number of leading requests that have one command each, of the same kind, on different rows, and need
/// no savepoint.
fn plain_prefix(requests: &[Request]) -> usize {
    let plain = |request: &'_ ComponentRequest| match (&*request.write.commands, &request.write.idempotency) {
        ([command], None) => !command.stands_alone(),
        _ => false,
    };
    let requests = requests.iter().map_while(|request| request.command.components());
    let plain = requests.take_while(|request| plain(request)).map(|request| &request.write.commands[0]);
    run_length(plain)
}

/// Carries out requests of one command each.
async fn execute_together(
    transaction: &Transaction,
    requests: &mut [&mut ComponentRequest],
    events: &mut Vec<PendingEvent>,
) -> Result<(), DbErr> {
    let commands = requests.iter().flat_map(|ComponentRequest { write, .. }| {
        write.commands.iter().map(|command| (command, &write.context))
    });
    let executed = run(transaction, &commands.collect::<Vec<_>>()).await?;
    for (request, executed) in requests.iter_mut().zip(executed) {
        request.reply.outcome = Some(match executed {
            Ok((result, event)) => {
                events.extend(event);
                ComponentAnswer::Done { results: vec![result], replayed: false }
            }
            Err(conflict) => {
                ComponentAnswer::Refused(OperationErrors(vec![OperationError { index: 0, conflict }]))
            }
        });
    }
    Ok(())
}

/// Carries out a job within a savepoint.
async fn execute_job(
    transaction: &Transaction,
    job: &mut dyn Job,
    events: &mut Vec<PendingEvent>,
) -> Result<(), DbErr> {
    transaction.savepoint().await?;
    match job.execute(transaction).await? {
        Some(done) => {
            transaction.release().await?;
            events.extend(done);
            Ok(())
        }
        None => transaction.undo().await,
    }
}

/// The number of leading commands that one statement can carry out.
fn run_length<'a>(mut commands: impl Iterator<Item = &'a ComponentCommand>) -> usize {
    let Some(first) = commands.next() else { return 0 };
    let mut rows: HashSet<_> = first.row().into_iter().collect();
    1 + commands
        .take(ROWS_PER_STATEMENT - 1)
        .take_while(|command| {
            discriminant(*command) == discriminant(first)
                && !command.stands_alone()
                && command.row().is_none_or(|row| rows.insert(row))
        })
        .count()
}

/// Carries out one write, all or nothing.
async fn execute_write(
    transaction: &Transaction,
    request: &mut ComponentRequest,
    events: &mut Vec<PendingEvent>,
) -> Result<(), DbErr> {
    let ComponentRequest { write, reply } = request;
    let replayed = match &write.idempotency {
        Some(key) => match idempotency::claim(transaction, key, write.context.at).await? {
            Claim::New => None,
            Claim::Used(outcome) => Some(outcome),
            Claim::Reused => {
                reply.outcome = Some(ComponentAnswer::KeyReused);
                return Ok(());
            }
        },
        None => None,
    };
    let is_replayed = replayed.is_some();
    let outcome = match replayed {
        Some(outcome) => outcome,
        None => execute_all(transaction, write, events).await?,
    };
    if let (Some(key), false) = (&write.idempotency, is_replayed) {
        idempotency::settle(transaction, key, &outcome).await?;
    }
    reply.outcome = Some(match outcome {
        Ok(results) => ComponentAnswer::Done { results, replayed: is_replayed },
        Err(refused) => ComponentAnswer::Refused(OperationErrors(refused)),
    });
    Ok(())
}

/// Carries out all commands of a write, or rolls them back and reports every refused one.
async fn execute_all(
    transaction: &Transaction,
    write: &PreparedWrite,
    events: &mut Vec<PendingEvent>,
) -> Result<Result<Vec<OperationResult>, Vec<OperationError>>, DbErr> {
    transaction.savepoint().await?;
    let mut results = Vec::with_capacity(write.commands.len());
    let mut pending = Vec::with_capacity(write.commands.len());
    let mut refused = Vec::new();
    let mut index = 0;
    while index < write.commands.len() {
        let length = run_length(write.commands[index..].iter());
        let commands = write.commands[index..index + length].iter().map(|command| (command, &write.context));
        for executed in run(transaction, &commands.collect::<Vec<_>>()).await? {
            match executed {
                Ok((result, event)) => {
                    results.push(result);
                    pending.extend(event);
                }
                Err(conflict) => refused.push(OperationError { index, conflict }),
            }
            index += 1;
        }
        write.progress.set(index);
    }
    if refused.is_empty() {
        transaction.release().await?;
        events.extend(pending);
        Ok(Ok(results))
    } else {
        transaction.undo().await?;
        Ok(Err(refused))
    }
}

/// Carries out commands of one kind.
async fn run(
    transaction: &Transaction,
    commands: &[(&ComponentCommand, &ChangeContext)],
) -> Result<Vec<Executed>, DbErr> {
    match commands {
        [(ComponentCommand::Create { .. }, _), ..] => create(transaction, commands).await,
        [(ComponentCommand::Update { .. } | ComponentCommand::Delete { .. }, _), ..] => {
            change(transaction, commands).await
        }
        _ => Ok(commands
            .iter()
            .filter_map(|(command, _)| match command {
                ComponentCommand::Invalid(invalid) => Some(Err(Conflict::Invalid(invalid.clone()))),
                _ => None,
            })
            .collect()),
    }
}

async fn create(
    transaction: &Transaction,
    commands: &[(&ComponentCommand, &ChangeContext)],
) -> Result<Vec<Executed>, DbErr> {
    let created = || {
        commands.iter().filter_map(|(command, context)| match command {
            ComponentCommand::Create { component, data } => Some((component, data, *context)),
            _ => None,
        })
    };
    let rows: Vec<_> = created().map(|(component, ..)| component::Model::from(&**component)).collect();
    let insert = component::insert_new(transaction.get_database_backend(), rows.into_iter());
    let inserted = transaction.execute_raw(insert).await?.rows_affected();
    let refused = if inserted == commands.len() as u64 {
        HashSet::new()
    } else {
        let mut refused: HashSet<_> = created().map(|(component, ..)| component.id.0).collect();
        for id in ids(transaction, refused.iter().copied()).await? {
            refused.remove(&id);
        }
        refused
    };
    let executed = created().map(|(component, data, context)| match &component.sku {
        Some(sku) if refused.contains(&component.id.0) => Err(Conflict::SkuTaken(sku.clone())),
        _ => {
            let event = ComponentCreated { component: Arc::clone(component) };
            let event = PendingEvent { data: data.clone(), ..PendingEvent::new(event, context) };
            Ok((OperationResult::Created(Arc::clone(component)), Some(event)))
        }
    });
    Ok(executed.collect())
}

/// Returns the ids for which a component exists.
async fn ids(transaction: &Transaction, ids: impl IntoIterator<Item = Uuid>) -> Result<Vec<Uuid>, DbErr> {
    component::Entity::find()
        .select_only()
        .column(component::Column::Id)
        .filter(component::Column::Id.is_in(ids))
        .into_tuple()
        .all(transaction)
        .await
}

/// Changes or deletes rows, which are read and locked first.
async fn change(
    transaction: &Transaction,
    commands: &[(&ComponentCommand, &ChangeContext)],
) -> Result<Vec<Executed>, DbErr> {
    let ids = commands.iter().filter_map(|(command, _)| command.row()).map(|id| id.0);
    let current: HashMap<_, _> = component::Entity::find()
        .filter(component::Column::Id.is_in(ids))
        .lock_exclusive()
        .all(transaction)
        .await?
        .into_iter()
        .map(|row| Component::try_from(row).map(|component| (component.id, Arc::new(component))))
        .collect::<Result<_, ReadError>>()
        .map_err(|error| DbErr::Custom(error.to_string()))?;
    let mut executed = Vec::with_capacity(commands.len());
    let mut doomed = Vec::new();
    for (command, context) in commands {
        executed.push(match command {
            ComponentCommand::Update { id, expected, patch } => match admitted(&current, *id, expected) {
                Ok(before) => update(transaction, before, (**patch).clone(), context).await?,
                Err(conflict) => Err(conflict),
            },
            ComponentCommand::Delete { id, expected } => admitted(&current, *id, expected).map(|component| {
                doomed.push(id.0);
                let event = ComponentDeleted { component: Arc::clone(component) };
                let event = PendingEvent::new(event, context);
                (OperationResult::Deleted(Arc::clone(component)), Some(event))
            }),
            _ => continue,
        });
    }
    if !doomed.is_empty() {
        component::Entity::delete_many()
            .filter(component::Column::Id.is_in(doomed))
            .exec(transaction)
            .await?;
    }
    Ok(executed)
}

fn admitted<'a>(
    current: &'a HashMap<ComponentId, Arc<Component>>,
    id: ComponentId,
    expected: &VersionPrecondition,
) -> Result<&'a Arc<Component>, Conflict> {
    match current.get(&id) {
        None => Err(Conflict::NoComponent(id)),
        Some(component) if expected.admits(component.version) => Ok(component),
        Some(component) => Err(Conflict::Stale(Arc::clone(component))),
    }
}

async fn update(
    transaction: &Transaction,
    before: &Arc<Component>,
    patch: inventory_core::ComponentPatch,
    context: &ChangeContext,
) -> Result<Executed, DbErr> {
    let (mut after, changed) = match before.patched(patch, context.at, context.actor.clone()) {
        Ok(Some(patched)) => patched,
        Ok(None) => return Ok(Ok((OperationResult::Unchanged(Arc::clone(before)), None))),
        Err(invalid) => return Ok(Err(Conflict::Invalid(invalid))),
    };
    after.version = after.version.max(context.version_floor);
    let after = Arc::new(after);
    let update =
        |row| component::Entity::update_many().set(row).filter(component::Column::Id.eq(before.id.0));
    let row = component::Model::from(&*after).changes_since(&component::Model::from(&**before));
    match &after.sku {
        Some(sku) if after.sku != before.sku => {
            // The unique index answers with an error here, which must not spoil the whole transaction.
            transaction.savepoint().await?;
            match update(row).exec(transaction).await {
                Ok(_) => transaction.release().await?,
                Err(error) if classify(&error) == DbErrorClass::Unique => {
                    transaction.undo().await?;
                    return Ok(Err(Conflict::SkuTaken(sku.clone())));
                }
                Err(error) => return Err(error),
            }
        }
        _ => {
            update(row).exec(transaction).await?;
        }
    }
    let event = ComponentUpdated { before: Arc::clone(before), after: Arc::clone(&after), changed };
    Ok(Ok((OperationResult::Updated(after), Some(PendingEvent::new(event, context)))))
}
