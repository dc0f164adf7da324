//! Where a command works: in a database, or through a running server.

use anyhow::ensure;
use indicatif::ProgressBar;
use inventory_core::{Actor, Component};
use inventory_csv::Row;
use inventory_store::{
    Column, ComponentOperation, OperationError, OperationErrors, PageCursor, PageStart, Query, Sort, Store,
    WriteContext, WriteError,
};

use super::{
    api_client::{ApiClient, PAGE},
    attempt::Attempt,
};
use crate::{
    config::{Common, Server},
    database::{self, Purpose},
};

/// A place with components.
pub(crate) enum Backend {
    /// A database, opened by this process.
    Database(Store),
    /// A server, spoken to over HTTP.
    Server(Box<ApiClient>),
}

/// Where the next page of components begins.
pub(crate) enum Cursor {
    Place(PageCursor),
    /// A server's cursor, of which only the server knows the meaning.
    Opaque(String),
}

impl Backend {
    pub(crate) async fn open(common: &Common, server: &Server, purpose: Purpose) -> anyhow::Result<Self> {
        match &server.url {
            Some(url) => Ok(Self::Server(Box::new(ApiClient::new(url, server)?))),
            None => Ok(Self::Database(database::open(common, purpose).await?)),
        }
    }

    /// Checks that this number of rows can be carried out in one write.
    pub(crate) fn check_size(&self, rows: usize) -> anyhow::Result<()> {
        let max = ApiClient::MAX_OPERATIONS;
        ensure!(
            matches!(self, Self::Database(_)) || rows <= max,
            "a server carries out at most {max} operations together, and this file has {rows} rows: split the \
             file, or omit --url to import it into the database directly"
        );
        Ok(())
    }

    /// The components that have the id or the sku of a row, each once.
    pub(crate) async fn find(&self, rows: &[Row], progress: &ProgressBar) -> anyhow::Result<Vec<Component>> {
        match self {
            Self::Database(store) => {
                let count = |looked_up| progress.inc(looked_up as u64);
                Ok(inventory_csv::existing(store, rows, count).await?)
            }
            Self::Server(remote) => {
                let ids: Vec<_> = rows.iter().filter_map(|row| row.id).collect();
                let skus: Vec<_> = rows.iter().filter_map(|row| row.sku.clone()).collect();
                let mut found = remote.find(&ids, &skus, progress).await?;
                found.sort_by_key(|component| component.id);
                found.dedup_by_key(|component| component.id);
                Ok(found)
            }
        }
    }

    /// Carries out operations together.
    pub(crate) async fn write(&self, operations: &[ComponentOperation]) -> anyhow::Result<Attempt> {
        match self {
            Self::Database(store) => {
                match store.write(operations.to_vec(), WriteContext::new(Actor::import())).await {
                    Ok(_) => Ok(Attempt::Done),
                    Err(WriteError::Conflict(OperationErrors(errors))) => {
                        let reason = |error: OperationError| (error.index, error.conflict.to_string());
                        Ok(Attempt::Overtaken(errors.into_iter().map(reason).collect()))
                    }
                    Err(WriteError::Failure(failure)) => Err(failure.into()),
                }
            }
            Self::Server(remote) => remote.write(operations).await,
        }
    }

    /// A page of all components, in the order of their ids.
    pub(crate) async fn page(
        &self,
        from: Option<Cursor>,
    ) -> anyhow::Result<(Vec<Component>, Option<Cursor>)> {
        match self {
            Self::Database(store) => {
                let from = match from {
                    Some(Cursor::Place(place)) => PageStart::After(place),
                    _ => PageStart::Start,
                };
                let sort = Sort { column: Column::Id, descending: false };
                let query = Query { filters: Vec::new(), search: None, sort, from, limit: PAGE };
                let page = store.components(&query).await?;
                Ok((page.items, page.next.map(Cursor::Place)))
            }
            Self::Server(remote) => {
                let cursor = match from {
                    Some(Cursor::Opaque(cursor)) => Some(cursor),
                    _ => None,
                };
                let (items, next) = remote.page(cursor.as_deref()).await?;
                Ok((items, next.map(Cursor::Opaque)))
            }
        }
    }

    /// Puts what was written into the index of the search, which would otherwise be done while people search. It is
    /// only that: where it fails, nothing is lost.
    pub(crate) async fn index_search(&self) {
        if let Self::Database(store) = self
            && let Err(error) = store.index_search().await
        {
            tracing::warn!(%error, "failed to add imported components to the search index");
        }
    }

    pub(crate) async fn close(self) {
        if let Self::Database(store) = self {
            store.close().await;
        }
    }
}
