//! Bringing in a CSV file: it is uploaded, its columns are told what they fill, every row is looked at as what it
//! would do, and then it is done, all or nothing.
//!
//! The file and its plan wait in the database ([`Staged`]), so that any process of the service can answer the
//! next request. What is carried out is the plan that was looked at: it states the versions that it was made from,
//! so that nothing is overwritten that was changed since.

mod columns;
mod planning;
mod preview;
mod run;
mod settings;
mod upload;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use inventory_store::{Progress, Staged, StagedRow, Store};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use self::settings::Settings;
use crate::{Admin, auth::SignedIn, failure::Failure, routes::Router};

/// Where imports begin.
pub(crate) const PATH: &str = "/admin/import";
/// How many rows a file may have: one write may do so much, so that others need not wait.
const MAX_ROWS: usize = 20_000;
/// How many values of custom fields the rows of a file may have together: a few bytes of the file are many in memory.
const MAX_CUSTOM_VALUES: usize = 250_000;
/// How many files are read and compared at once by this process. That takes some multiple of a file's memory.
const MAX_AT_ONCE: usize = 1;
/// Bytes of uploaded files that this process holds at once.
const MAX_BUFFERED_BYTES: usize = 24 * 1024 * 1024;
/// How long an upload waits for its share of them.
const BUFFER_TIMEOUT: Duration = Duration::from_secs(5);

/// Every page about imports.
pub(crate) fn router() -> Router<Admin> {
    Router::new()
        .merge(upload::router())
        .merge(columns::router())
        .merge(preview::router())
        .merge(run::router())
}

/// The imports of this process. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Imports {
    /// Held while a file is read and compared.
    at_work: Arc<Semaphore>,
    /// Held while a plan is carried out, one at a time: the writer takes one after the other anyway, and each has all
    /// its rows in memory.
    writing: Arc<Semaphore>,
    /// The bytes of uploaded files that may yet be held.
    buffered: Arc<Semaphore>,
    /// How far each has come that is carried out.
    running: Arc<Mutex<HashMap<Uuid, Progress>>>,
}

impl Default for Imports {
    fn default() -> Self {
        Self {
            at_work: Arc::new(Semaphore::new(MAX_AT_ONCE)),
            writing: Arc::new(Semaphore::new(1)),
            buffered: Arc::new(Semaphore::new(MAX_BUFFERED_BYTES)),
            running: Arc::default(),
        }
    }
}

impl Imports {
    /// Waits for the turn to read and compare a file.
    async fn turn(&self) -> Result<Turn, Failure> {
        acquire(&self.at_work).await.map(Turn)
    }

    /// Waits for the turn to carry out a plan.
    async fn turn_to_write(&self) -> Result<OwnedSemaphorePermit, Failure> {
        acquire(&self.writing).await
    }

    /// Waits for room for an uploaded file; nothing where there is none for long.
    async fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.buffered).acquire_many_owned(bytes);
        tokio::time::timeout(BUFFER_TIMEOUT, room).await.ok()?.ok()
    }

    /// Lets others know how far an import has come, until what is returned is dropped.
    fn running(&self, id: Uuid, progress: Progress) -> Running {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).insert(id, progress);
        Running { imports: self.clone(), id }
    }

    /// How many operations an import has carried out, where it is this process that carries it out.
    fn done(&self, id: Uuid) -> Option<usize> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).get(&id).map(Progress::operations)
    }
}

async fn acquire(semaphore: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Failure> {
    Arc::clone(semaphore).acquire_owned().await.map_err(|closed| Failure::Unexpected(closed.to_string()))
}

/// The turn to read and compare a file, which ends when this is dropped.
struct Turn(#[expect(dead_code, reason = "it is only held")] OwnedSemaphorePermit);

impl Turn {
    /// Does work that takes longer than a request may hold up others.
    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        tokio::task::spawn_blocking(work).await.map_err(|error| Failure::Unexpected(error.to_string()))
    }
}

/// An import that is carried out.
struct Running {
    imports: Imports,
    id: Uuid,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.imports.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// Where the page of an import is.
fn path(id: Uuid) -> String {
    format!("{PATH}/{id}")
}

/// A file that someone uploaded. Nobody finds those of others.
async fn find(store: &Store, signed_in: &SignedIn, id: &str) -> Result<Staged, Failure> {
    let id = id.parse().map_err(|_| gone())?;
    store.import_jobs().find(signed_in.user.id, id).await?.ok_or_else(gone)
}

fn gone() -> Failure {
    Failure::NotFound(
        "This upload no longer exists. Only your latest uploads are kept, for a day. Upload the file again."
            .to_owned(),
    )
}

/// Keeps the rows of a plan with a file, which may be gone meanwhile.
async fn keep_plan(
    store: &Store,
    id: Uuid,
    settings: &Settings,
    rows: Vec<StagedRow>,
    outcome: Option<String>,
) -> Result<(), Failure> {
    if store.import_jobs().plan(id, settings.text(), rows, outcome).await? { Ok(()) } else { Err(gone()) }
}

/// The content of a file that waits, for the holder of the turn to read it.
async fn content(store: &Store, _turn: &Turn, staged: &Staged) -> Result<Arc<Vec<u8>>, Failure> {
    let gone =
        || Failure::NotFound("This file was imported and is no longer stored. Upload it again.".to_owned());
    store.import_jobs().content(staged.id).await?.map(Arc::new).ok_or_else(gone)
}

/// A text cut to a number of characters, which it seldom has.
fn shortened(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
