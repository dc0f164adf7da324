//! Carrying out what was looked at, and telling how far it is.

use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use inventory_core::Actor;
use inventory_store::{
    Conflict, OperationError, OperationErrors, Progress, RowKind, Staged, Store, WriteContext, WriteError,
    WriteFailure,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Imports, MAX_ROWS, PATH, columns, content, find, keep_plan, path, planning, preview};
use crate::{Admin, actor_label::by, auth::Editor, failure::Failure, form_data::FormData, routes::Router};

/// What is said where the database was away.
const DATABASE_AWAY: &str = "Nothing was imported, because the database did not respond. Try again.";
/// How many of the rows are named that others came before.
const MAX_NAMED: usize = 10;

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new()
        .route("/admin/import/{id}/run", post(run))
        .route("/admin/import/{id}/progress", get(progress))
        .route("/admin/import/{id}/preview", post(replan))
        .route("/admin/import/{id}/discard", post(discard))
}

/// How an import ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ImportOutcome {
    /// It was carried out.
    Imported { created: u64, changed: u64, unchanged: u64 },
    /// Others changed what it is about after it was looked at, so nothing was carried out. The lines, each with what
    /// happened, and how many more there are.
    Overtaken { rows: Vec<(u64, String)>, more: usize },
    /// Nothing was carried out, for this reason.
    Failed(String),
    /// Whether it was carried out is not known.
    Unknown,
}

impl ImportOutcome {
    /// What was noted with a file.
    pub(super) fn of(staged: &Staged) -> Option<Self> {
        serde_json::from_str(staged.outcome.as_deref()?).ok()
    }

    fn text(&self) -> String {
        // Cannot fail: it is texts and numbers.
        serde_json::to_string(self).unwrap_or_default()
    }
}

async fn run(
    Editor(editor): Editor,
    State(store): State<Store>,
    State(imports): State<Imports>,
    Path(id): Path<String>,
    fields: FormData,
) -> Result<Response, Failure> {
    let staged = find(&store, &editor, &id).await?;
    let plan = fields.number("plan")?;
    if plan != staged.plan {
        return preview::plan_changed(&editor, &store, staged).await;
    }
    if staged.plan > 0
        && staged.count(RowKind::Faulty) == 0
        && store.import_jobs().start(staged.id, plan).await?
    {
        let (id, running) = (staged.id, Progress::default());
        let noted = imports.running(id, running.clone());
        let actor = Actor::user_import(&editor.user.name);
        // In a separate task: the user may close the page meanwhile.
        tokio::spawn(async move {
            let ended = carry_out(&store, &imports, &staged, actor, running).await;
            if let Err(failure) = note(&store, &imports, &staged, ended).await {
                tracing::error!(import = %id, ?failure, "failed to record the outcome of an import");
            }
            drop(noted);
            if let Err(error) = store.index_search().await {
                tracing::warn!(%error, "failed to add imported components to the search index");
            }
        });
    }
    Ok(Redirect::to(&path(parse(&id)?)).into_response())
}

fn parse(id: &str) -> Result<Uuid, Failure> {
    id.parse().map_err(|_| Failure::NotFound("This upload no longer exists.".to_owned()))
}

/// One write: all or nothing.
async fn carry_out(
    store: &Store,
    imports: &Imports,
    staged: &Staged,
    actor: Actor,
    progress: Progress,
) -> Result<ImportOutcome, Failure> {
    let _turn = imports.turn_to_write().await?;
    let limit = MAX_ROWS as u64;
    let rows = store.import_jobs().rows(staged.id, None, 0, limit).await?;
    let planned = changes(staged) + staged.count(RowKind::Unchanged) + staged.count(RowKind::Faulty);
    if rows.len() as u64 != planned {
        return Err(Failure::Unexpected(format!(
            "{} rows of an import wait, of {planned} that were planned",
            rows.len()
        )));
    }
    let (lines, operations) = planning::operations(&rows)?;
    drop(rows);
    let imported = ImportOutcome::Imported {
        created: staged.count(RowKind::Create),
        changed: staged.count(RowKind::Change),
        unchanged: staged.count(RowKind::Unchanged),
    };
    if operations.is_empty() {
        return Ok(imported);
    }
    Ok(match store.write(operations, WriteContext { progress, ..WriteContext::new(actor) }).await {
        Ok(_) => imported,
        Err(WriteError::Conflict(OperationErrors(errors))) => overtaken(&lines, &errors),
        Err(WriteError::Failure(error @ WriteFailure::OutcomeUnknown)) => {
            tracing::error!(import = %staged.id, %error, "outcome of an import unknown");
            ImportOutcome::Unknown
        }
        Err(WriteError::Failure(error @ (WriteFailure::Busy | WriteFailure::Unavailable(_)))) => {
            tracing::error!(import = %staged.id, %error, "import failed");
            ImportOutcome::Failed(DATABASE_AWAY.to_owned())
        }
        Err(WriteError::Failure(error)) => return Err(error.into()),
    })
}

fn overtaken(lines: &[u64], errors: &[OperationError]) -> ImportOutcome {
    let named = errors.iter().take(MAX_NAMED).map(|OperationError { index, conflict }| {
        let what = match conflict {
            Conflict::Stale(current) => {
                format!("{} was changed {} in the meantime", current.name, by(&current.updated_by))
            }
            Conflict::NoComponent(_) => "its component was deleted in the meantime".to_owned(),
            Conflict::SkuTaken(_) | Conflict::Invalid(_) => conflict.to_string(),
        };
        (lines.get(*index).copied().unwrap_or_default(), what)
    });
    ImportOutcome::Overtaken { rows: named.collect(), more: errors.len().saturating_sub(MAX_NAMED) }
}

/// Notes how it ended. If others changed its components first, the file is compared again.
async fn note(
    store: &Store,
    imports: &Imports,
    staged: &Staged,
    ended: Result<ImportOutcome, Failure>,
) -> Result<(), Failure> {
    let ended = ended.unwrap_or_else(|failure| {
        tracing::error!(import = %staged.id, ?failure, "import failed");
        ImportOutcome::Failed(match failure {
            Failure::Unavailable(_) => DATABASE_AWAY.to_owned(),
            _ => "Nothing was imported, because something went wrong. The error was logged.".to_owned(),
        })
    });
    if matches!(ended, ImportOutcome::Overtaken { .. } | ImportOutcome::Unknown) {
        let settings = columns::parsed(staged)?;
        let turn = imports.turn().await?;
        let content = content(store, &turn, staged).await?;
        if let Ok(rows) = planning::plan(store, &turn, content, &settings).await? {
            return keep_plan(store, staged.id, &settings, rows, Some(ended.text())).await;
        }
    }
    let done = matches!(ended, ImportOutcome::Imported { .. });
    Ok(store.import_jobs().finish(staged.id, staged.plan, ended.text(), done).await?)
}

/// How far an import is, for the script of its page.
#[derive(Serialize)]
struct Told {
    /// Whether it is still carried out.
    running: bool,
    /// How many changes were made, where it is this process that makes them.
    done: Option<usize>,
    total: u64,
}

async fn progress(
    Editor(editor): Editor,
    State(store): State<Store>,
    State(imports): State<Imports>,
    Path(id): Path<String>,
) -> Result<Json<Told>, Failure> {
    let staged = find(&store, &editor, &id).await?;
    let running = staged.started.is_some() && staged.outcome.is_none();
    Ok(Json(Told { running, done: imports.done(staged.id), total: changes(&staged) }))
}

/// How many changes a plan makes.
pub(super) fn changes(staged: &Staged) -> u64 {
    staged.count(RowKind::Create) + staged.count(RowKind::Change)
}

/// Compares a file again with the present components.
async fn replan(
    Editor(editor): Editor,
    State(store): State<Store>,
    State(imports): State<Imports>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let staged = find(&store, &editor, &id).await?;
    let settings = columns::parsed(&staged)?;
    let turn = imports.turn().await?;
    let content = content(&store, &turn, &staged).await?;
    match planning::plan(&store, &turn, content, &settings).await? {
        Ok(rows) => {
            keep_plan(&store, staged.id, &settings, rows, None).await?;
            Ok(Redirect::to(&path(staged.id)).into_response())
        }
        Err(_) => Ok(Redirect::to(&columns::path(staged.id)).into_response()),
    }
}

async fn discard(
    Editor(editor): Editor,
    State(store): State<Store>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let staged = find(&store, &editor, &id).await?;
    store.import_jobs().remove(editor.user.id, staged.id).await?;
    Ok(Redirect::to(PATH).into_response())
}
