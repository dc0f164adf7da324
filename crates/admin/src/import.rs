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
};

use inventory_store::{Progress, Staged, Store};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::{Admin, failure::Failure, routes::Router, session::SignedIn};

/// Where imports begin.
pub(crate) const PATH: &str = "/admin/import";
/// How many rows a file may have: one write may do so much, so that others need not wait.
const MAX_ROWS: usize = 20_000;
/// How many files are read and compared at once by this process.
const MAX_AT_ONCE: usize = 2;

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
    /// Held by whoever reads and compares a file.
    at_work: Arc<Semaphore>,
    /// How far each has come that is carried out.
    running: Arc<Mutex<HashMap<Uuid, Progress>>>,
}

impl Default for Imports {
    fn default() -> Self {
        Self { at_work: Arc::new(Semaphore::new(MAX_AT_ONCE)), running: Arc::default() }
    }
}

impl Imports {
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
    let gone = || {
        Failure::NotFound(
            "There is no such upload. A file waits for a day, and for as long as you upload no more than a few \
             others: upload it again."
                .to_owned(),
        )
    };
    let id = id.parse().map_err(|_| gone())?;
    store.staged(signed_in.user.id, id).await?.ok_or_else(gone)
}

/// The content of a file that waits.
async fn content(store: &Store, staged: &Staged) -> Result<Vec<u8>, Failure> {
    let gone =
        || Failure::NotFound("The file was imported, so it is no longer here. Upload it again.".to_owned());
    store.staged_content(staged.id).await?.ok_or_else(gone)
}

/// A text cut to a number of characters, which it seldom has.
fn shortened(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
