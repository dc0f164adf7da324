//! What one transaction of the writer does: many writes, each all or none, then their events.
//!
//! Steps of the same kind that follow each other are carried out by one statement, within a write and
//! across writes. A savepoint stands only where a write may have to be undone alone.

use std::{
    collections::{HashMap, HashSet},
    mem::discriminant,
    sync::Arc,
};

use inventory_core::{Component, ComponentCreated, ComponentDeleted, ComponentId, ComponentUpdated, Event};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect,
};
use uuid::Uuid;

use crate::{
    access,
    db::Transaction,
    entity::component,
    error::ReadError,
    fault::{Fault, fault},
    idempotency::{self, Claim},
    prepare::{Author, Prepared, Step},
    write::{Done, Expected, Reason, Refusal},
};

/// How many rows one statement inserts, reads or deletes. Each inserted row binds 21 values, and SQLite
/// takes 32,766.
const ROWS_PER_STATEMENT: usize = 256;

/// An event whose place is not known yet.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) event: Event,
    /// The event as JSON, where that was written before.
    pub(crate) data: Option<String>,
    pub(crate) author: Author,
}

impl Draft {
    fn new(event: impl Into<Event>, author: &Author) -> Self {
        Self { event: event.into(), data: None, author: author.clone() }
    }
}

/// What a write came to, if the transaction commits.
#[derive(Debug)]
pub(crate) enum Answer {
    Done(Vec<Done>),
    Refused(Vec<Refusal>),
    /// What the write of the same idempotency key came to.
    Replayed(Result<Vec<Done>, Vec<Refusal>>),
    KeyReused,
}

/// What a step did, with its events: one, but for a change of who may come in, which can end several sessions.
type Stepped = Result<(Done, Vec<Draft>), Reason>;

/// Carries out the writes and returns an answer for each, and the events of those that were not refused.
pub(crate) async fn carry_out(
    transaction: &Transaction,
    writes: &[Prepared],
) -> Result<(Vec<Answer>, Vec<Draft>), DbErr> {
    let mut answers = Vec::with_capacity(writes.len());
    let mut drafts = Vec::new();
    let mut rest = writes;
    while let [write, ..] = rest {
        let plain = plain_prefix(rest);
        if plain == 0 {
            answers.push(whole(transaction, write, &mut drafts).await?);
            rest = &rest[1..];
            continue;
        }
        let (together, after) = rest.split_at(plain);
        let steps: Vec<_> = together
            .iter()
            .flat_map(|write| write.steps.iter().map(move |step| (step, &write.author)))
            .collect();
        for stepped in run(transaction, &steps).await? {
            answers.push(match stepped {
                Ok((done, drafted)) => {
                    drafts.extend(drafted);
                    Answer::Done(vec![done])
                }
                Err(reason) => Answer::Refused(vec![Refusal { index: 0, reason }]),
            });
        }
        rest = after;
    }
    Ok((answers, drafts))
}

/// How many of the first writes have one step each, of one kind, on different rows, with nothing to undo.
fn plain_prefix(writes: &[Prepared]) -> usize {
    let step = |write: &'_ Prepared| match (&*write.steps, &write.idempotency) {
        ([step], None) => !step.stands_alone(),
        _ => false,
    };
    let plain = writes.iter().take_while(|write| step(write)).map(|write| &write.steps[0]);
    run_length(plain)
}

/// How many of the first steps can be carried out together.
fn run_length<'a>(mut steps: impl Iterator<Item = &'a Step>) -> usize {
    let Some(first) = steps.next() else { return 0 };
    let mut rows: HashSet<_> = first.row().into_iter().collect();
    1 + steps
        .take(ROWS_PER_STATEMENT - 1)
        .take_while(|step| {
            discriminant(*step) == discriminant(first)
                && !step.stands_alone()
                && step.row().is_none_or(|row| rows.insert(row))
        })
        .count()
}

/// Carries out one write that may have to be undone alone.
async fn whole(
    transaction: &Transaction,
    write: &Prepared,
    drafts: &mut Vec<Draft>,
) -> Result<Answer, DbErr> {
    if let Some(key) = &write.idempotency {
        match idempotency::claim(transaction, key, write.author.at).await? {
            Claim::New => {}
            Claim::Used(outcome) => return Ok(Answer::Replayed(outcome)),
            Claim::Reused => return Ok(Answer::KeyReused),
        }
    }
    transaction.savepoint().await?;
    let outcome = all_or_none(transaction, write).await?;
    let answer = match outcome {
        Ok((done, drafted)) => {
            transaction.release().await?;
            drafts.extend(drafted);
            Ok(done)
        }
        Err(refusals) => {
            transaction.undo().await?;
            Err(refusals)
        }
    };
    if let Some(key) = &write.idempotency {
        idempotency::settle(transaction, key, &answer).await?;
    }
    Ok(match answer {
        Ok(done) => Answer::Done(done),
        Err(refusals) => Answer::Refused(refusals),
    })
}

/// Carries out all steps and reports every one that is refused.
async fn all_or_none(
    transaction: &Transaction,
    write: &Prepared,
) -> Result<Result<(Vec<Done>, Vec<Draft>), Vec<Refusal>>, DbErr> {
    let mut done = Vec::with_capacity(write.steps.len());
    let mut drafts = Vec::with_capacity(write.steps.len());
    let mut refusals = Vec::new();
    let mut index = 0;
    while index < write.steps.len() {
        let length = run_length(write.steps[index..].iter());
        let steps: Vec<_> =
            write.steps[index..index + length].iter().map(|step| (step, &write.author)).collect();
        for stepped in run(transaction, &steps).await? {
            match stepped {
                Ok((result, drafted)) => {
                    done.push(result);
                    drafts.extend(drafted);
                }
                Err(reason) => refusals.push(Refusal { index, reason }),
            }
            index += 1;
        }
        write.progress.tell(index);
    }
    Ok(if refusals.is_empty() { Ok((done, drafts)) } else { Err(refusals) })
}

/// Carries out steps of one kind.
async fn run(transaction: &Transaction, steps: &[(&Step, &Author)]) -> Result<Vec<Stepped>, DbErr> {
    match steps {
        [(Step::Create { .. }, _), ..] => create(transaction, steps).await,
        [(Step::Update { .. } | Step::Delete { .. }, _), ..] => change(transaction, steps).await,
        _ => {
            let mut stepped = Vec::with_capacity(steps.len());
            for (step, author) in steps {
                stepped.push(other(transaction, step, author).await?);
            }
            Ok(stepped)
        }
    }
}

async fn create(transaction: &Transaction, steps: &[(&Step, &Author)]) -> Result<Vec<Stepped>, DbErr> {
    let created = || {
        steps.iter().filter_map(|(step, author)| match step {
            Step::Create { component, data } => Some((component, data, *author)),
            _ => None,
        })
    };
    let rows: Vec<_> = created().map(|(component, ..)| component::Model::from(&**component)).collect();
    let insert = component::insert_new(transaction.get_database_backend(), rows.into_iter());
    let inserted = transaction.execute_raw(insert).await?.rows_affected();
    let refused = if inserted == steps.len() as u64 {
        HashSet::new()
    } else {
        let mut refused: HashSet<_> = created().map(|(component, ..)| component.id.0).collect();
        for id in ids(transaction, refused.iter().copied()).await? {
            refused.remove(&id);
        }
        refused
    };
    let stepped = created().map(|(component, data, author)| match &component.sku {
        Some(sku) if refused.contains(&component.id.0) => Err(Reason::SkuTaken(sku.clone())),
        _ => {
            let event = ComponentCreated { component: Arc::clone(component) };
            let draft = Draft { data: data.clone(), ..Draft::new(event, author) };
            Ok((Done::Created(Arc::clone(component)), vec![draft]))
        }
    });
    Ok(stepped.collect())
}

/// Those of the ids that a component has.
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
async fn change(transaction: &Transaction, steps: &[(&Step, &Author)]) -> Result<Vec<Stepped>, DbErr> {
    let ids = steps.iter().filter_map(|(step, _)| step.row()).map(|id| id.0);
    let current: HashMap<_, _> = component::Entity::find()
        .filter(component::Column::Id.is_in(ids))
        .lock_exclusive()
        .all(transaction)
        .await?
        .into_iter()
        .map(|row| Component::try_from(row).map(|component| (component.id, Arc::new(component))))
        .collect::<Result<_, ReadError>>()
        .map_err(|error| DbErr::Custom(error.to_string()))?;
    let mut stepped = Vec::with_capacity(steps.len());
    let mut doomed = Vec::new();
    for (step, author) in steps {
        stepped.push(match step {
            Step::Update { id, expected, patch } => match admitted(&current, *id, expected) {
                Ok(before) => update(transaction, before, (**patch).clone(), author).await?,
                Err(reason) => Err(reason),
            },
            Step::Delete { id, expected } => admitted(&current, *id, expected).map(|component| {
                doomed.push(id.0);
                let event = ComponentDeleted { component: Arc::clone(component) };
                (Done::Deleted(Arc::clone(component)), vec![Draft::new(event, author)])
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
    Ok(stepped)
}

fn admitted<'a>(
    current: &'a HashMap<ComponentId, Arc<Component>>,
    id: ComponentId,
    expected: &Expected,
) -> Result<&'a Arc<Component>, Reason> {
    match current.get(&id) {
        None => Err(Reason::NoComponent(id)),
        Some(component) if expected.admits(component.version) => Ok(component),
        Some(component) => Err(Reason::Stale(Arc::clone(component))),
    }
}

async fn update(
    transaction: &Transaction,
    before: &Arc<Component>,
    patch: inventory_core::ComponentPatch,
    author: &Author,
) -> Result<Stepped, DbErr> {
    let (after, changed) = match before.patched(patch, author.at, author.actor.clone()) {
        Ok(Some(patched)) => patched,
        Ok(None) => return Ok(Ok((Done::Unchanged(Arc::clone(before)), Vec::new()))),
        Err(invalid) => return Ok(Err(Reason::Invalid(invalid))),
    };
    let after = Arc::new(after);
    let update =
        |row| component::Entity::update_many().set(row).filter(component::Column::Id.eq(before.id.0));
    let row = minimal(component::Model::from(&*after), &component::Model::from(&**before));
    match &after.sku {
        Some(sku) if after.sku != before.sku => {
            // The unique index answers with an error here, which must not spoil the whole transaction.
            transaction.savepoint().await?;
            match update(row).exec(transaction).await {
                Ok(_) => transaction.release().await?,
                Err(error) if fault(&error) == Fault::Unique => {
                    transaction.undo().await?;
                    return Ok(Err(Reason::SkuTaken(sku.clone())));
                }
                Err(error) => return Err(error),
            }
        }
        _ => {
            update(row).exec(transaction).await?;
        }
    }
    let event = ComponentUpdated { before: Arc::clone(before), after: Arc::clone(&after), changed };
    Ok(Ok((Done::Updated(after), vec![Draft::new(event, author)])))
}

/// Sets only the columns that differ, so that indexes on the others are left alone.
fn minimal(after: component::Model, before: &component::Model) -> component::ActiveModel {
    fn differing<T: PartialEq + Into<sea_orm::Value>>(after: T, before: &T) -> sea_orm::ActiveValue<T> {
        if after == *before { NotSet } else { Set(after) }
    }
    component::ActiveModel {
        id: NotSet,
        sku: differing(after.sku, &before.sku),
        name: differing(after.name, &before.name),
        description: differing(after.description, &before.description),
        notes: differing(after.notes, &before.notes),
        manufacturer: differing(after.manufacturer, &before.manufacturer),
        mpn: differing(after.mpn, &before.mpn),
        barcode: differing(after.barcode, &before.barcode),
        unit: differing(after.unit, &before.unit),
        min_quantity: differing(after.min_quantity, &before.min_quantity),
        unit_cost: differing(after.unit_cost, &before.unit_cost),
        currency: differing(after.currency, &before.currency),
        datasheet_url: differing(after.datasheet_url, &before.datasheet_url),
        tags: differing(after.tags, &before.tags),
        custom_fields: differing(after.custom_fields, &before.custom_fields),
        status: differing(after.status, &before.status),
        created_at: NotSet,
        created_by: NotSet,
        updated_at: differing(after.updated_at, &before.updated_at),
        updated_by: differing(after.updated_by, &before.updated_by),
        version: differing(after.version, &before.version),
    }
}

/// Changes who may come in, or refuses what can never be carried out.
async fn other(transaction: &Transaction, step: &Step, author: &Author) -> Result<Stepped, DbErr> {
    match step {
        Step::Access(operation) => Ok(match access::carry_out(transaction, operation, author).await? {
            Ok((done, events)) => {
                let drafts = events.into_iter().map(|event| Draft::new(event, author)).collect();
                Ok((Done::Access(done), drafts))
            }
            Err(refusal) => Err(Reason::Access(refusal)),
        }),
        Step::Invalid(invalid) => Ok(Err(Reason::Invalid(invalid.clone()))),
        Step::Create { .. } | Step::Update { .. } | Step::Delete { .. } => {
            Err(DbErr::Custom("a component's step among those of another kind".to_owned()))
        }
    }
}
