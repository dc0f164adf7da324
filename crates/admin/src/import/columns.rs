//! What the columns of a file fill.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use inventory_core::Field;
use inventory_csv::Header;
use inventory_store::{Staged, Store};
use uuid::Uuid;

use super::{
    Imports, content, find, keep_plan, planning,
    settings::{self, CUSTOM, FILL, Settings},
    shortened,
};
use crate::{
    Admin,
    auth::{Editor, SignedIn},
    failure::Failure,
    form_data::FormData,
    layout::{Layout, Section},
    render::Answer as _,
    routes::Router,
};

/// How many columns a file may have.
pub(super) const MAX_COLUMNS: usize = 100;
/// How long the name of a column may be, in characters.
pub(super) const MAX_COLUMN_CHARS: usize = 64;
/// How many of its first cells are shown of a column.
const SAMPLES: usize = 2;
/// How much is shown of a cell, in characters.
const MAX_SAMPLE_CHARS: usize = 40;
/// What may separate cells: as the form names it, and in words.
const DELIMITERS: [(char, &str, &str); 4] =
    [(',', ",", "Comma"), (';', ";", "Semicolon"), ('\t', "tab", "Tab"), ('|', "|", "Pipe (|)")];

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new().route("/admin/import/{id}/columns", get(page).post(choose))
}

/// Where the columns of a file are.
pub(super) fn path(id: Uuid) -> String {
    format!("{}/columns", super::path(id))
}

/// How a file begins, where it is one whose columns can be shown.
pub(super) fn header(content: &[u8], delimiter: u8) -> Result<Header, String> {
    let mut header = Header::read(content, delimiter, SAMPLES)
        .map_err(|error| format!("This file cannot be imported: {error}."))?;
    if header.columns.len() > MAX_COLUMNS {
        return Err(format!(
            "The file has {} columns, but at most {MAX_COLUMNS} are allowed.",
            header.columns.len()
        ));
    }
    if let Some(name) = header.columns.iter().find(|name| name.chars().count() > MAX_COLUMN_CHARS) {
        let name = shortened(name, MAX_COLUMN_CHARS);
        return Err(format!(
            "The column name “{name}” is longer than {MAX_COLUMN_CHARS} characters. Does the first line of \
             the file contain the column names?"
        ));
    }
    for sample in header.samples.iter_mut().flatten() {
        *sample = shortened(sample, MAX_SAMPLE_CHARS);
    }
    Ok(header)
}

#[derive(Template)]
#[template(path = "import_columns.html")]
struct ColumnsPage {
    layout: Layout,
    staged: Staged,
    header: Header,
    settings: Settings,
    error: Option<String>,
}

/// A column as the page shows it.
struct ShownColumn<'a> {
    index: usize,
    name: &'a str,
    samples: &'a [String],
    /// The custom field that it fills.
    custom: &'a str,
}

impl ColumnsPage {
    fn new(editor: &SignedIn, staged: Staged, header: Header, settings: Settings) -> Self {
        Self { layout: editor.layout(Section::Import), staged, header, settings, error: None }
    }

    fn columns(&self) -> impl Iterator<Item = ShownColumn<'_>> {
        let columns = self.header.columns.iter().zip(&self.header.samples).enumerate();
        columns.map(|(index, (name, samples))| ShownColumn {
            index,
            name,
            samples,
            custom: self.settings.custom(name),
        })
    }

    /// Whether a component cannot be created without a field.
    fn is_needed(field: Field) -> bool {
        field == Field::Sku || field.is_required()
    }

    fn has_id(&self) -> bool {
        self.header.columns.iter().any(|column| column == "id")
    }

    /// An example of a template of this file.
    fn example(&self) -> String {
        let mut names = self.header.columns.iter().map(|name| format!("{{{name}}}"));
        match (names.next(), names.next()) {
            (Some(one), Some(other)) => format!("{one}/{other}"),
            (one, _) => one.unwrap_or_default(),
        }
    }
}

async fn page(
    Editor(editor): Editor,
    State(store): State<Store>,
    State(imports): State<Imports>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let staged = find(&store, &editor, &id).await?;
    let settings = parsed(&staged)?;
    let turn = imports.turn().await?;
    let content = content(&store, &turn, &staged).await?;
    let delimiter = u8::try_from(settings.delimiter).unwrap_or(b',');
    let header = turn.work(move || header(&content, delimiter)).await?.map_err(Failure::BadRequest)?;
    ColumnsPage::new(&editor, staged, header, settings).answer(StatusCode::OK)
}

/// The settings that wait with a file.
pub(super) fn parsed(staged: &Staged) -> Result<Settings, Failure> {
    let wrong = || Failure::Unexpected("the settings of an import are not as they were written".to_owned());
    Settings::parse(&staged.settings).ok_or_else(wrong)
}

async fn choose(
    Editor(editor): Editor,
    State(store): State<Store>,
    State(imports): State<Imports>,
    Path(id): Path<String>,
    fields: FormData,
) -> Result<Response, Failure> {
    let staged = find(&store, &editor, &id).await?;
    let turn = imports.turn().await?;
    let content = content(&store, &turn, &staged).await?;
    let delimiter = u8::try_from(settings::delimiter(&fields)).unwrap_or(b',');
    let read = move || (header(&content, delimiter), content);
    let (header, content) = turn.work(read).await?;
    let header = header.map_err(Failure::BadRequest)?;
    // Cells that are separated otherwise are other columns, which have yet to be looked at.
    if fields.text("delimiter_shown") != fields.text("delimiter") {
        let settings = Settings::suggested(&header, delimiter);
        return ColumnsPage::new(&editor, staged, header, settings).answer(StatusCode::OK);
    }
    let settings = Settings::read(&fields, &header);
    match planning::plan(&store, &turn, content, &settings).await? {
        Ok(rows) => {
            keep_plan(&store, staged.id, &settings, rows, None).await?;
            Ok(Redirect::to(&super::path(staged.id)).into_response())
        }
        Err(error) => {
            let page = ColumnsPage::new(&editor, staged, header, settings);
            ColumnsPage { error: Some(error), ..page }.answer(StatusCode::UNPROCESSABLE_ENTITY)
        }
    }
}
