//! Results that are stored under an idempotency key, in the same transaction as the write.

use inventory_core::micros;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryTrait,
    sea_query::{Expr, ExprTrait, OnConflict, Query},
};
use time::OffsetDateTime;

use super::operation::{Idempotency, OperationError, OperationResult};
use crate::{
    db::{Transaction, database::Database},
    entity::idempotency_key::{ActiveModel, Column, Entity},
};

/// The state of a key.
pub(crate) enum Claim {
    /// Claimed by this write: it was not used within [`Idempotency::KEPT_FOR`].
    New,
    /// Used by an earlier write of the same request, with this result.
    Used(Result<Vec<OperationResult>, Vec<OperationError>>),
    /// Used by an earlier write of another request.
    Reused,
}

/// Claims a key for a write. On PostgreSQL this waits for another process that holds the same key.
pub(crate) async fn claim(
    transaction: &Transaction,
    key: &Idempotency,
    now: OffsetDateTime,
) -> Result<Claim, DbErr> {
    let row = ActiveModel {
        scope: Set(key.scope.clone()),
        key: Set(key.key.clone()),
        fingerprint: Set(key.fingerprint.to_vec()),
        outcome: Set(None),
        created_at: Set(micros(now)),
    };
    // A key whose time is over is taken as if it were new.
    let expired = OnConflict::columns([Column::Scope, Column::Key])
        .update_columns([Column::Fingerprint, Column::Outcome, Column::CreatedAt])
        .action_and_where(Expr::col((Entity, Column::CreatedAt)).lt(oldest(now)))
        .to_owned();
    let mut insert = Entity::insert(row).on_conflict(expired).into_query();
    insert.returning(Query::returning().column(Column::CreatedAt));
    if transaction.query_one(&insert).await?.is_some() {
        return Ok(Claim::New);
    }
    let used = Entity::find_by_id((key.scope.clone(), key.key.clone())).one(transaction).await?;
    let used = used.ok_or_else(|| DbErr::RecordNotFound("the idempotency key".to_owned()))?;
    if used.fingerprint != key.fingerprint {
        return Ok(Claim::Reused);
    }
    let outcome =
        used.outcome.ok_or_else(|| DbErr::RecordNotFound("the outcome of the first write".to_owned()))?;
    serde_json::from_str(&outcome).map(Claim::Used).map_err(|error| DbErr::Json(error.to_string()))
}

/// Stores the result of a write under the key that it claimed.
pub(crate) async fn settle(
    transaction: &Transaction,
    key: &Idempotency,
    outcome: &Result<Vec<OperationResult>, Vec<OperationError>>,
) -> Result<(), DbErr> {
    let outcome = serde_json::to_string(outcome).map_err(|error| DbErr::Json(error.to_string()))?;
    Entity::update_many()
        .set(ActiveModel { outcome: Set(Some(outcome)), ..Default::default() })
        .filter(Column::Scope.eq(&key.scope))
        .filter(Column::Key.eq(&key.key))
        .exec(transaction)
        .await?;
    Ok(())
}

/// Deletes expired keys.
pub(crate) async fn purge(database: &Database, now: OffsetDateTime) -> Result<(), DbErr> {
    Entity::delete_many().filter(Column::CreatedAt.lt(oldest(now))).exec(database.writer()).await?;
    Ok(())
}

fn oldest(now: OffsetDateTime) -> i64 {
    micros(now - Idempotency::KEPT_FOR)
}
