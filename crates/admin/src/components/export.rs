//! The components of a list as a file: all that it shows, on all of its pages, in its order.
//!
//! The file is written while it is sent, one page of the list after the other, so that it costs the service no more
//! than that. Cells that a spreadsheet would take for formulas are text there (`inventory_csv::ComponentWriter`).

use std::io;

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use inventory_core::{Component, ComponentId};
use inventory_csv::{ComponentWriter, ComponentWriterError};
use inventory_store::{PageStart, Query, Store};

use super::list_query::ListQuery;
use crate::{
    Admin, address, auth::SignedIn, failure::Failure, form_data::Parameters, live::Live, routes::Router,
};

/// Where the file of a list is.
const PATH: &str = "/admin/components/export";
/// How many components are read at once.
const PAGE: usize = 500;
/// The longest chunk of a file that is handed to the connection at once, in bytes.
const MAX_CHUNK_BYTES: usize = 64 * 1024;
/// What separates tags within a cell; no tag has one.
const LIST_SEPARATOR: &str = ",";

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new().route(PATH, get(export))
}

/// What a file is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    JsonLines,
}

impl Format {
    pub(crate) const ALL: [Self; 2] = [Self::Csv, Self::JsonLines];

    /// As an address names it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Csv => "Export CSV",
            Self::JsonLines => "Export JSON Lines",
        }
    }

    /// The headers of such a file.
    fn headers(self) -> [(header::HeaderName, &'static str); 2] {
        let (content_type, disposition) = match self {
            Self::Csv => {
                ("text/csv; charset=utf-8; header=present", "attachment; filename=\"components.csv\"")
            }
            Self::JsonLines => ("application/jsonl", "attachment; filename=\"components.jsonl\""),
        };
        [(header::CONTENT_TYPE, content_type), (header::CONTENT_DISPOSITION, disposition)]
    }

    /// A piece of such a file: its beginning, or what follows.
    fn piece(self, components: &[Component], begins: bool) -> Result<Bytes, ComponentWriterError> {
        let mut sheet = match self {
            Self::Csv if begins => ComponentWriter::csv(Vec::new(), LIST_SEPARATOR)?,
            Self::Csv => ComponentWriter::csv_without_header(Vec::new(), LIST_SEPARATOR),
            Self::JsonLines => ComponentWriter::json_lines(Vec::new()),
        };
        for component in components {
            sheet.write(component)?;
        }
        Ok(sheet.finish()?.into())
    }
}

/// Where the file of a list is.
pub(crate) fn link(asked: &ListQuery, format: Format) -> String {
    let pairs = asked.pairs_but(&["limit"]);
    let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    address::with_query(PATH, pairs.chain([("format", format.as_str())]))
}

async fn export(
    _: SignedIn,
    State(store): State<Store>,
    State(live): State<Live>,
    Parameters(fields): Parameters,
) -> Result<Response, Failure> {
    let format = Format::ALL.into_iter().find(|format| format.as_str() == fields.text("format"));
    let format = format.ok_or(Failure::BadRequest("Unknown export format.".to_owned()))?;
    let asked = ListQuery::read(&fields);
    let query = asked.query().ok_or(Failure::BadRequest(asked.errors.join(" ")))?;
    let query = Query { from: PageStart::Start, limit: PAGE, ..query };
    // What goes wrong with the first page is still a page for people.
    let first = store.components(&query).await?;
    let piece = format.piece(&first.items, true).map_err(|error| Failure::Unexpected(error.to_string()))?;
    let rest = stream::try_unfold((store, query, first.next), move |(store, query, next)| async move {
        let Some(place) = next else { return Ok(None) };
        let query = Query { from: PageStart::After(place), ..query };
        let page = store.components(&query).await.map_err(broken)?;
        let piece = format.piece(&page.items, false).map_err(broken)?;
        Ok::<_, io::Error>(Some((piece, (store, query, page.next))))
    });
    let chunks = stream::iter([Ok(piece)]).chain(rest).map_ok(chunks).try_flatten();
    let body = Body::from_stream(until(live.stopped(), chunks));
    Ok((format.headers(), body).into_response())
}

/// A piece of a file in parts small enough that a stop of the service is noticed between two of them.
fn chunks(mut piece: Bytes) -> impl Stream<Item = io::Result<Bytes>> {
    let chunk = move || (!piece.is_empty()).then(|| piece.split_to(piece.len().min(MAX_CHUNK_BYTES)));
    stream::iter(std::iter::from_fn(chunk).map(Ok))
}

/// The chunks of a file, until the service stops, which breaks it off.
fn until(
    stopped: impl Future<Output = ()>,
    chunks: impl Stream<Item = io::Result<Bytes>>,
) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold((Box::pin(stopped), Box::pin(chunks)), |(mut stopped, mut chunks)| async move {
        tokio::select! {
            biased;
            () = &mut stopped => Err(broken(io::Error::other("the service stops"))),
            chunk = chunks.try_next() => Ok(chunk?.map(|chunk| (chunk, (stopped, chunks)))),
        }
    })
}

/// The end of a file in its middle, so that the recipient sees that it is not whole.
fn broken(error: impl std::error::Error) -> io::Error {
    tracing::warn!(%error, "export aborted");
    io::Error::other(error.to_string())
}

/// A CSV file of the rows that were selected; of everything that a list shows where there are none.
pub(super) async fn of(
    store: &Store,
    asked: &ListQuery,
    rows: Option<&[(ComponentId, u64)]>,
) -> Result<Response, Failure> {
    let Some(rows) = rows else { return Ok(Redirect::to(&link(asked, Format::Csv)).into_response()) };
    let ids: Vec<_> = rows.iter().map(|(id, _)| *id).collect();
    let mut components = store.components_by_id(&ids).await?;
    components.sort_by_key(|component| ids.iter().position(|id| *id == component.id));
    let piece = Format::Csv.piece(&components, true);
    let piece = piece.map_err(|error| Failure::Unexpected(error.to_string()))?;
    Ok((Format::Csv.headers(), Body::from(piece)).into_response())
}
