//! Where a file comes in, and the files that wait.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{
        DefaultBodyLimit, Multipart, State,
        multipart::{Field, MultipartError, MultipartRejection},
    },
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_LENGTH, RETRY_AFTER},
    },
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use inventory_csv::Header;
use inventory_store::{StageError, Staged, Store};

use super::{
    Imports, MAX_ROWS, PATH,
    columns::{self, MAX_COLUMN_CHARS, MAX_COLUMNS},
    path, planning,
    settings::Settings,
    shortened,
};
use crate::{
    Admin,
    auth::{Editor, SignedIn},
    failure::Failure,
    format::{Count, Moment},
    layout::{Layout, Section},
    render::Answer as _,
    routes::Router,
};

/// How long a file may be, in bytes.
const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;
/// How much of a file that is too long is read away, in bytes, so that its sender can read why it is not
/// taken.
const MAX_DISCARDED_BYTES: usize = 64 * 1024 * 1024;
/// Seconds after which an upload may be tried again for which there was no room.
const RETRY_AFTER_SECONDS: u64 = 5;
/// How much is kept of the name of a file, in characters.
const MAX_NAME_CHARS: usize = 100;

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new().route(PATH, get(page).post(upload).layer(DefaultBodyLimit::max(MAX_DISCARDED_BYTES)))
}

#[derive(Template)]
#[template(path = "import.html")]
struct UploadPage {
    layout: Layout,
    waiting: Vec<Staged>,
    error: Option<String>,
}

impl UploadPage {
    fn max_rows() -> Count {
        Count(MAX_ROWS as u64)
    }

    fn max_megabytes() -> usize {
        MAX_FILE_BYTES / 1024 / 1024
    }
}

async fn page(Editor(editor): Editor, State(store): State<Store>) -> Result<Response, Failure> {
    answer(&editor, &store, None).await
}

async fn answer(
    editor: &SignedIn,
    store: &Store,
    refused: Option<(StatusCode, String)>,
) -> Result<Response, Failure> {
    let waiting = store.import_jobs().list(editor.user.id).await?;
    let (status, error) = match refused {
        Some((status, error)) => (status, Some(error)),
        None => (StatusCode::OK, None),
    };
    let page = UploadPage { layout: editor.layout(Section::Import), waiting, error };
    let mut response = page.answer(status)?;
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
    }
    Ok(response)
}

/// Why a file is not taken.
enum Refusal {
    TooLong,
    /// It did not come to its end.
    Broken,
    /// Other files take all the room that there is.
    Busy,
    /// Newer files of the same user have taken its place.
    Overtaken,
    /// There is none.
    Missing,
    /// What is wrong with it.
    Unfit(String),
}

impl From<MultipartError> for Refusal {
    fn from(error: MultipartError) -> Self {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE { Self::TooLong } else { Self::Broken }
    }
}

impl Refusal {
    fn told(self) -> (StatusCode, String) {
        match self {
            Self::TooLong => (
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "The file is larger than {} MB. Split it, or import it from the command line.",
                    UploadPage::max_megabytes()
                ),
            ),
            Self::Broken => (
                StatusCode::BAD_REQUEST,
                "The upload was interrupted or took too long. Nothing was saved. Try again.".to_owned(),
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many files are being uploaded right now. Nothing was saved. Try again in a moment."
                    .to_owned(),
            ),
            Self::Overtaken => (
                StatusCode::CONFLICT,
                format!(
                    "Your newer uploads replaced this one: at most {} are kept. Import or discard one of \
                     them, then upload this file again.",
                    Staged::MAX_OF_A_USER
                ),
            ),
            Self::Missing => {
                (StatusCode::UNPROCESSABLE_ENTITY, "Choose a file that is not empty.".to_owned())
            }
            Self::Unfit(sentence) => (StatusCode::UNPROCESSABLE_ENTITY, sentence),
        }
    }
}

async fn upload(
    Editor(editor): Editor,
    State(store): State<Store>,
    State(imports): State<Imports>,
    headers: HeaderMap,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, Failure> {
    let form = form.map_err(|rejection| Failure::BadRequest(rejection.body_text()))?;
    let stated = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let room = MAX_FILE_BYTES.min(stated.unwrap_or(MAX_FILE_BYTES));
    let Some(_room) = imports.room(room).await else {
        return answer(&editor, &store, Some(Refusal::Busy.told())).await;
    };
    let (name, content) = match receive(form, room).await {
        Ok(received) => received,
        Err(refusal) => return answer(&editor, &store, Some(refusal.told())).await,
    };
    let turn = imports.turn().await?;
    let (content, header, settings) = match turn.work(|| read(content)).await? {
        Ok(read) => read,
        Err(refusal) => return answer(&editor, &store, Some(refusal.told())).await,
    };
    // What an export wrote says of itself what fills what.
    let planned = if Settings::are_plain(&header) {
        planning::plan(&store, &turn, Arc::clone(&content), &settings).await?.ok()
    } else {
        None
    };
    let content = Arc::unwrap_or_clone(content);
    let id = match store.import_jobs().add(editor.user.id, &name, content, settings.text()).await {
        Ok(id) => id,
        Err(StageError::Full) => {
            let full = "Too many uploaded files are waiting to be imported. Try again later.";
            return answer(&editor, &store, Some((StatusCode::SERVICE_UNAVAILABLE, full.to_owned()))).await;
        }
        Err(StageError::Read(error)) => return Err(error.into()),
    };
    if let Some(rows) = planned {
        if !store.import_jobs().plan(id, settings.text(), rows, None).await? {
            return answer(&editor, &store, Some(Refusal::Overtaken.told())).await;
        }
        return Ok(Redirect::to(&path(id)).into_response());
    }
    Ok(Redirect::to(&columns::path(id)).into_response())
}

/// The file of a form, as far as it is not too long.
async fn receive(mut form: Multipart, room: usize) -> Result<(String, Vec<u8>), Refusal> {
    while let Some(field) = form.next_field().await? {
        if field.name() == Some("file") {
            let name = shortened(field.file_name().unwrap_or_default(), MAX_NAME_CHARS);
            let name = if name.is_empty() { "file.csv".to_owned() } else { name };
            return Ok((name, bytes(field, room).await?));
        }
    }
    Err(Refusal::Missing)
}

async fn bytes(mut field: Field<'_>, room: usize) -> Result<Vec<u8>, Refusal> {
    let mut content = Vec::with_capacity(room);
    let mut length = 0;
    while let Some(chunk) = field.chunk().await? {
        length += chunk.len();
        if length <= MAX_FILE_BYTES {
            content.extend_from_slice(&chunk);
        } else {
            // Read away, and not kept.
            content = Vec::new();
        }
    }
    match length {
        0 => Err(Refusal::Missing),
        _ if length > MAX_FILE_BYTES => Err(Refusal::TooLong),
        _ => Ok(content),
    }
}

/// How a file begins, and what that suggests.
fn read(content: Vec<u8>) -> Result<(Arc<Vec<u8>>, Header, Settings), Refusal> {
    let unfit = |sentence: &str| Err(Refusal::Unfit(sentence.to_owned()));
    if content.starts_with(b"PK\x03\x04") || content.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        return unfit("This is a spreadsheet workbook. Save it as CSV (UTF-8) and upload that file.");
    }
    if content.starts_with(&[0xff, 0xfe]) || content.starts_with(&[0xfe, 0xff]) || content.contains(&0) {
        return unfit("This is not UTF-8 text. Save it as CSV (UTF-8) and upload that file.");
    }
    let delimiter = Header::delimiter(&content);
    let header = columns::header(&content, delimiter).map_err(Refusal::Unfit)?;
    let settings = Settings::suggested(&header, delimiter);
    Ok((Arc::new(content), header, settings))
}
