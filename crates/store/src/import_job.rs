//! Files that someone uploaded and has not imported yet: they are looked at in several requests, which several
//! processes may answer.
//!
//! The caller defines the format of a file and of its rows: settings, rows and outcomes are opaque texts
//! here. None of this is inventory data, so none of it becomes an event.

use inventory_core::{Clock, Origin, UserId, from_micros, micros};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait,
    IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{
    db::{database::Database, insert::insert},
    entity::{staged_file, staged_import, staged_row},
    error::ReadError,
};

/// How many rows one statement inserts. Each binds 4 values.
const ROWS_PER_STATEMENT: usize = 512;

/// What the row of a staged file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowKind {
    /// It creates a component.
    Create,
    /// It changes a component.
    Change,
    /// It is as the component already is.
    Unchanged,
    /// It cannot be carried out.
    Faulty,
}

impl RowKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Create, Self::Change, Self::Unchanged, Self::Faulty];

    fn number(self) -> i16 {
        match self {
            Self::Create => 0,
            Self::Change => 1,
            Self::Unchanged => 2,
            Self::Faulty => 3,
        }
    }

    fn read(number: i16) -> Result<Self, ReadError> {
        let found = Self::ALL.into_iter().find(|kind| kind.number() == number);
        found.ok_or_else(|| ReadError::Corrupt(format!("the kind {number} of a staged row")))
    }
}

/// A row of a staged file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedRow {
    /// The line of the file on which it begins.
    pub line: u64,
    /// What it does.
    pub kind: RowKind,
    /// The rest, as the caller serialised it.
    pub body: String,
}

/// A file that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// Its name here.
    pub id: Uuid,
    /// The name that it came with.
    pub name: String,
    /// How long it is, in bytes.
    pub bytes: u64,
    /// How it is to be read, as the caller serialised it.
    pub settings: String,
    /// Which plan this is: one more each time its rows are planned, and 0 before.
    pub plan: u64,
    /// When it was planned.
    pub planned_at: Option<OffsetDateTime>,
    /// How many rows of the plan are of each kind, in the order of [`RowKind::ALL`].
    pub counts: [u64; 4],
    /// When its plan began to be carried out, and by which process.
    pub started: Option<(OffsetDateTime, Origin)>,
    /// How that ended, or another note, as the caller serialised it.
    pub outcome: Option<String>,
    /// When it was uploaded.
    pub created_at: OffsetDateTime,
}

impl Staged {
    /// How long a file is kept.
    pub const KEPT_FOR: Duration = Duration::hours(24);
    /// How many files of one user are kept. One more is the end of the oldest.
    pub const MAX_OF_A_USER: u64 = 4;
    /// How many files are kept altogether.
    pub const MAX: u64 = 64;

    /// How many rows of the plan are of a kind.
    pub fn count(&self, kind: RowKind) -> u64 {
        self.counts[RowKind::ALL.iter().position(|other| *other == kind).unwrap_or_default()]
    }
}

/// Why a file cannot be staged.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StageError {
    /// As many files wait as there is room for.
    #[error("as many files wait as there is room for")]
    Full,
    /// The database does not answer.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<DbErr> for StageError {
    fn from(error: DbErr) -> Self {
        Self::Read(error.into())
    }
}

/// The files that wait.
#[derive(Debug, Clone, Copy)]
pub struct ImportJobs<'a> {
    pub(crate) database: &'a Database,
    pub(crate) clock: &'a Clock,
    pub(crate) origin: Origin,
}

impl ImportJobs<'_> {
    /// Keeps a file for a user, and names it.
    pub async fn add(
        &self,
        owner: UserId,
        name: &str,
        content: Vec<u8>,
        settings: String,
    ) -> Result<Uuid, StageError> {
        let (id, now) = (Uuid::now_v7(), self.clock.now());
        let transaction = self.database.begin().await?;
        let mut own = staged_import::Entity::find()
            .filter(staged_import::Column::UserId.eq(owner.0))
            .order_by_desc(staged_import::Column::CreatedAt)
            .all(&transaction)
            .await?;
        let kept = usize::try_from(Staged::MAX_OF_A_USER - 1).unwrap_or(usize::MAX);
        let spare = own.split_off(own.len().min(kept)).into_iter().map(|staged| staged.id);
        staged_import::Entity::delete_many()
            .filter(staged_import::Column::Id.is_in(spare))
            .exec(&transaction)
            .await?;
        if staged_import::Entity::find().count(&transaction).await? >= Staged::MAX {
            return Err(StageError::Full);
        }
        let staged = staged_import::Model {
            id,
            user_id: owner.0,
            name: name.to_owned(),
            bytes: i64::try_from(content.len()).unwrap_or(i64::MAX),
            settings,
            plan: 0,
            planned_at: None,
            creates: 0,
            changes: 0,
            unchanged: 0,
            faulty: 0,
            started_at: None,
            started_by: None,
            outcome: None,
            created_at: micros(now),
        };
        staged.into_active_model().insert(&transaction).await?;
        let file = staged_file::Model { import_id: id, content };
        staged_file::Entity::insert(file.into_active_model()).exec(&transaction).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// The files of a user that are kept, newest first.
    pub async fn list(&self, owner: UserId) -> Result<Vec<Staged>, ReadError> {
        let rows = staged_import::Entity::find()
            .filter(staged_import::Column::UserId.eq(owner.0))
            .filter(staged_import::Column::CreatedAt.gte(oldest(self.clock.now())))
            .order_by_desc(staged_import::Column::CreatedAt)
            .all(&self.database.reader)
            .await?;
        Ok(rows.into_iter().map(Staged::from).collect())
    }

    /// A file of a user.
    pub async fn find(&self, owner: UserId, id: Uuid) -> Result<Option<Staged>, ReadError> {
        let row = staged_import::Entity::find_by_id(id)
            .filter(staged_import::Column::UserId.eq(owner.0))
            .filter(staged_import::Column::CreatedAt.gte(oldest(self.clock.now())))
            .one(&self.database.reader)
            .await?;
        Ok(row.map(Staged::from))
    }

    /// The content of a staged file; nothing once it has been carried out.
    pub async fn content(&self, id: Uuid) -> Result<Option<Vec<u8>>, ReadError> {
        let row = staged_file::Entity::find_by_id(id).one(&self.database.reader).await?;
        Ok(row.map(|file| file.content))
    }

    /// Gives a staged file other settings, and rows that are planned by them in the place of all that it had. It
    /// can be started from then on. Whether the file was still there: newer ones of its user may have taken its place.
    pub async fn plan(
        &self,
        id: Uuid,
        settings: String,
        rows: Vec<StagedRow>,
        outcome: Option<String>,
    ) -> Result<bool, ReadError> {
        let database = self.database;
        let mut counts = [0_i64; 4];
        for row in &rows {
            counts[usize::try_from(row.kind.number()).unwrap_or_default()] += 1;
        }
        let [creates, changes, unchanged, faulty] = counts;
        let transaction = database.begin().await?;
        let planned = staged_import::ActiveModel {
            settings: Set(settings),
            planned_at: Set(Some(micros(self.clock.now()))),
            creates: Set(creates),
            changes: Set(changes),
            unchanged: Set(unchanged),
            faulty: Set(faulty),
            started_at: Set(None),
            started_by: Set(None),
            outcome: Set(outcome),
            ..Default::default()
        };
        // It is kept from being removed until the commit.
        let updated = staged_import::Entity::update_many()
            .set(planned)
            .col_expr(staged_import::Column::Plan, Expr::col(staged_import::Column::Plan).add(1))
            .filter(staged_import::Column::Id.eq(id))
            .exec(&transaction)
            .await?;
        if updated.rows_affected == 0 {
            return Ok(false);
        }
        staged_row::Entity::delete_many()
            .filter(staged_row::Column::ImportId.eq(id))
            .exec(&transaction)
            .await?;
        let mut rows = rows.into_iter();
        loop {
            let values: Vec<_> = rows
                .by_ref()
                .take(ROWS_PER_STATEMENT)
                .map(|row| {
                    let StagedRow { line, kind, body } = row;
                    let line = i64::try_from(line).unwrap_or(i64::MAX);
                    [id.into(), line.into(), kind.number().into(), body.into()]
                })
                .collect();
            if values.is_empty() {
                break;
            }
            let into = "INSERT INTO staged_row (import_id, line, kind, body)";
            transaction.execute_raw(insert(database.backend(), into, values.into_iter(), "")).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Rows of a staged file, of one kind or of all, in the order of the file: at most `limit`, after as many as
    /// are skipped.
    pub async fn rows(
        &self,
        id: Uuid,
        kind: Option<RowKind>,
        skipped: u64,
        limit: u64,
    ) -> Result<Vec<StagedRow>, ReadError> {
        let mut query = staged_row::Entity::find().filter(staged_row::Column::ImportId.eq(id));
        if let Some(kind) = kind {
            query = query.filter(staged_row::Column::Kind.eq(kind.number()));
        }
        let rows = query
            .order_by_asc(staged_row::Column::Line)
            .offset(skipped)
            .limit(limit)
            .all(&self.database.reader)
            .await?;
        let read = |staged_row::Model { import_id: _, line, kind, body }| {
            let line = u64::try_from(line).unwrap_or_default();
            Ok(StagedRow { line, kind: RowKind::read(kind)?, body })
        };
        rows.into_iter().map(read).collect()
    }

    /// Notes that a plan begins to be carried out by this process. Whether it may: nobody else has begun, and it
    /// is still the plan.
    pub async fn start(&self, id: Uuid, plan: u64) -> Result<bool, ReadError> {
        let started = staged_import::ActiveModel {
            started_at: Set(Some(micros(self.clock.now()))),
            started_by: Set(Some(self.origin.0)),
            outcome: Set(None),
            ..Default::default()
        };
        let updated = staged_import::Entity::update_many()
            .set(started)
            .filter(staged_import::Column::Id.eq(id))
            .filter(staged_import::Column::Plan.eq(i64::try_from(plan).unwrap_or(i64::MAX)))
            .filter(staged_import::Column::StartedAt.is_null())
            .exec(self.database.writer())
            .await?;
        Ok(updated.rows_affected == 1)
    }

    /// Notes how it ended. `done` is the end of the file, too; otherwise it can be started again.
    pub async fn finish(&self, id: Uuid, plan: u64, outcome: String, done: bool) -> Result<(), ReadError> {
        let transaction = self.database.begin().await?;
        let mut ended = staged_import::ActiveModel { outcome: Set(Some(outcome)), ..Default::default() };
        if !done {
            (ended.started_at, ended.started_by) = (Set(None), Set(None));
        }
        let updated = staged_import::Entity::update_many()
            .set(ended)
            .filter(staged_import::Column::Id.eq(id))
            .filter(staged_import::Column::Plan.eq(i64::try_from(plan).unwrap_or(i64::MAX)))
            .exec(&transaction)
            .await?;
        if done && updated.rows_affected == 1 {
            staged_file::Entity::delete_by_id(id).exec(&transaction).await?;
            staged_row::Entity::delete_many()
                .filter(staged_row::Column::ImportId.eq(id))
                .exec(&transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Forgets a file of a user.
    pub async fn remove(&self, owner: UserId, id: Uuid) -> Result<(), ReadError> {
        staged_import::Entity::delete_many()
            .filter(staged_import::Column::Id.eq(id))
            .filter(staged_import::Column::UserId.eq(owner.0))
            .exec(self.database.writer())
            .await?;
        Ok(())
    }
}

/// Forgets the files whose time is over.
pub(crate) async fn purge(database: &Database, now: OffsetDateTime) -> Result<(), DbErr> {
    staged_import::Entity::delete_many()
        .filter(staged_import::Column::CreatedAt.lt(oldest(now)))
        .exec(database.writer())
        .await?;
    Ok(())
}

fn oldest(now: OffsetDateTime) -> i64 {
    micros(now - Staged::KEPT_FOR)
}

impl From<staged_import::Model> for Staged {
    fn from(row: staged_import::Model) -> Self {
        let staged_import::Model {
            id,
            user_id: _,
            name,
            bytes,
            settings,
            plan,
            planned_at,
            creates,
            changes,
            unchanged,
            faulty,
            started_at,
            started_by,
            outcome,
            created_at,
        } = row;
        let count = |number| u64::try_from(number).unwrap_or_default();
        Self {
            id,
            name,
            bytes: count(bytes),
            settings,
            plan: count(plan),
            planned_at: planned_at.map(from_micros),
            counts: [creates, changes, unchanged, faulty].map(count),
            started: started_at.map(from_micros).zip(started_by.map(Origin)),
            outcome,
            created_at: from_micros(created_at),
        }
    }
}
