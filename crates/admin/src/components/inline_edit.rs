//! Changing one field of a component in the list.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use inventory_core::{Component, ComponentId, ComponentPatch, Field};
use inventory_store::{ComponentOperation, Conflict, Store, VersionPrecondition, WriteContext, WriteError};
use serde_json::{Map, Value};

use super::{
    PATH,
    column::columns,
    draft,
    field::{InputKind, view},
    form::complaint,
};
use crate::{
    Admin, address,
    auth::{Editor, SignedIn},
    failure::Failure,
    form_data::FormData,
    layout::{Flash, Layout, Section},
    render::Answer as _,
    routes::Router,
};

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new().route("/admin/components/{id}/cell/{field}", get(cell).post(change))
}

#[derive(Template)]
#[template(path = "cell.html")]
struct CellPage {
    layout: Layout,
    component: Arc<Component>,
    field: Field,
    label: &'static str,
    value: String,
    error: Option<String>,
    /// What someone else wrote in the meantime.
    theirs: Option<String>,
}

impl CellPage {
    fn new(signed_in: &SignedIn, component: Arc<Component>, field: Field) -> Result<Self, Failure> {
        let column = columns().find(|column| column.edits == Some(field));
        let column =
            column.ok_or(Failure::NotFound("This field cannot be edited in the list.".to_owned()))?;
        let value = draft::text(&component, field);
        let layout = signed_in.layout(Section::Components);
        Ok(Self { layout, component, field, label: column.label, value, error: None, theirs: None })
    }

    fn is_long(&self) -> bool {
        view(self.field).input == InputKind::Lines
    }
}

async fn cell(
    Editor(editor): Editor,
    State(store): State<Store>,
    Path((id, field)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let component = super::find(&store, &id).await?;
    CellPage::new(&editor, Arc::new(component), known(&field)?)?.answer(StatusCode::OK)
}

async fn change(
    Editor(editor): Editor,
    State(store): State<Store>,
    Path((id, field)): Path<(String, String)>,
    fields: FormData,
) -> Result<Response, Failure> {
    let (component, field) = (super::find(&store, &id).await?, known(&field)?);
    let id = component.id;
    let version = fields.number("version")?;
    let mut page = CellPage::new(&editor, Arc::new(component), field)?;
    page.value = fields.text("value").to_owned();
    let patch = match patch(field, &page.value) {
        Ok(patch) => patch,
        Err(error) => {
            page.error = Some(error);
            return page.answer(StatusCode::UNPROCESSABLE_ENTITY);
        }
    };
    let operation = ComponentOperation::Update {
        id,
        expected: VersionPrecondition::version(version),
        patch: Box::new(patch),
    };
    match store.write_one(operation, WriteContext::new(editor.actor())).await {
        Ok(_) => Ok(saved(id)),
        Err(WriteError::Conflict(conflict)) => refused(page, conflict),
        Err(WriteError::Failure(failure)) => Err(failure.into()),
    }
}

fn known(field: &str) -> Result<Field, Failure> {
    let known = Field::ALL.into_iter().find(|known| known.as_str() == field);
    known.ok_or(Failure::NotFound("This field does not exist.".to_owned()))
}

fn patch(field: Field, value: &str) -> Result<ComponentPatch, String> {
    let members = Map::from_iter([(field.as_str().to_owned(), draft::json(field, value))]);
    ComponentPatch::from_json(Value::Object(members)).map_err(|invalid| {
        let details: Vec<_> = invalid.0.into_iter().map(|error| error.detail).collect();
        format!("{}.", complaint(field, &details.join("; ")))
    })
}

/// Back to a list of this one row, of which the script takes the row.
fn saved(id: ComponentId) -> Response {
    let row = address::with_query(PATH, [("id", id.to_string().as_str())]);
    let mut response = Redirect::to(&row).into_response();
    response.headers_mut().append(axum::http::header::SET_COOKIE, Flash::Saved.cookie());
    response
}

fn refused(mut page: CellPage, conflict: Conflict) -> Result<Response, Failure> {
    match conflict {
        Conflict::Stale(current) => {
            page.theirs = Some(draft::text(&current, page.field));
            page.component = current;
            page.answer(StatusCode::CONFLICT)
        }
        Conflict::NoComponent(_) => Err(super::deleted()),
        Conflict::SkuTaken(_) => {
            page.error = Some("This SKU is already used by another component.".to_owned());
            page.answer(StatusCode::UNPROCESSABLE_ENTITY)
        }
        Conflict::Invalid(invalid) => {
            page.error = Some(format!("{invalid}."));
            page.answer(StatusCode::UNPROCESSABLE_ENTITY)
        }
    }
}
