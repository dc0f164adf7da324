//! The page of a component: looking at it, changing it, making another one, deleting it.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use inventory_core::{Component, ComponentId, Field, FieldError, LogPosition, ValidationErrors};
use inventory_store::{
    ComponentOperation, Conflict, OperationResult, Store, VersionPrecondition, WriteContext, WriteError,
    WriteFailure,
};

use super::{
    PATH,
    draft::{CustomKind, Draft},
    field::InputKind,
    form::Form,
    history::History,
    merge,
};
use crate::{
    Admin,
    auth::{Editor, SignedIn},
    failure::Failure,
    form_data::{FormData, Parameters},
    format::Moment,
    layout::{Flash, Layout, Section},
    render::Answer as _,
    routes::Router,
};

/// Where a component is made.
const NEW_PATH: &str = "/admin/components/new";

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new()
        .route(NEW_PATH, get(blank).post(create))
        .route("/admin/components/{id}", get(page).post(change))
        .route("/admin/components/{id}/delete", get(confirm_delete).post(delete))
}

#[derive(Template)]
#[template(path = "component.html")]
struct ComponentPage {
    layout: Layout,
    /// What is being changed; nothing where a component is being made.
    component: Option<Component>,
    history: History,
    form: Form,
    /// What went wrong that no field is to blame for.
    trouble: Option<String>,
    /// The last event before the component was read: what comes after it is news.
    since: Option<LogPosition>,
}

impl ComponentPage {
    fn title(&self) -> &str {
        self.component.as_ref().map_or("New component", |component| component.name.as_str())
    }

    fn action(&self) -> String {
        self.component.as_ref().map_or(NEW_PATH.to_owned(), |component| super::path(component.id))
    }
}

/// What is shown of an attempt: a form with what was typed, and why it was not taken.
struct Attempt<'a> {
    draft: &'a Draft,
    component: Option<Component>,
    errors: Vec<FieldError>,
    trouble: Option<String>,
}

impl<'a> Attempt<'a> {
    fn new(draft: &'a Draft, component: Option<Component>) -> Self {
        Self { draft, component, errors: Vec::new(), trouble: None }
    }

    fn errors(self, ValidationErrors(errors): ValidationErrors) -> Self {
        Self { errors, ..self }
    }

    fn trouble(self, trouble: &str) -> Self {
        Self { trouble: Some(trouble.to_owned()), ..self }
    }

    async fn answer(
        self,
        signed_in: &SignedIn,
        store: &Store,
        status: StatusCode,
    ) -> Result<Response, Failure> {
        let Self { draft, component, errors, trouble } = self;
        // Where the database has gone away, the page comes without live updates.
        let since = store.position(store.bus().head()).await.ok();
        let history = match &component {
            Some(component) => History::read(store, component.id, None).await,
            None => Ok(History::default()),
        };
        let page = ComponentPage {
            layout: signed_in.layout(Section::Components),
            component,
            // What was typed matters more: where the database has gone away, the form comes back without.
            history: if trouble.is_some() { history.unwrap_or_default() } else { history? },
            form: Form::new(draft, &errors),
            trouble,
            since,
        };
        page.answer(status)
    }
}

async fn page(
    signed_in: SignedIn,
    State(store): State<Store>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let component = super::find(&store, &id).await?;
    Attempt::new(&Draft::of(&component), Some(component)).answer(&signed_in, &store, StatusCode::OK).await
}

/// An empty form, or one that is filled in as another component is.
async fn blank(
    Editor(editor): Editor,
    State(store): State<Store>,
    Parameters(fields): Parameters,
) -> Result<Response, Failure> {
    let mut draft = Draft::empty();
    if let Some(from) = fields.get("from") {
        draft = Draft::of(&super::find(&store, from).await?);
        // These name this one component and no other.
        draft.set(Field::Sku, String::new());
        draft.set(Field::Barcode, String::new());
    }
    Attempt::new(&draft, None).answer(&editor, &store, StatusCode::OK).await
}

async fn create(
    Editor(editor): Editor,
    State(store): State<Store>,
    fields: FormData,
) -> Result<Response, Failure> {
    let draft = Draft::read(&fields);
    let attempt = Attempt::new(&draft, None);
    let new = match draft.create() {
        Ok(new) => new,
        Err(invalid) => {
            return attempt.errors(invalid).answer(&editor, &store, StatusCode::UNPROCESSABLE_ENTITY).await;
        }
    };
    let operation = ComponentOperation::Create(Box::new(new));
    match store.write_one(operation, WriteContext::new(editor.actor())).await {
        Ok(written) => {
            let id = written.result.into_component().id;
            Ok(then(&fields, id, &Flash::Created(id)))
        }
        Err(WriteError::Conflict(conflict)) => refused(attempt, conflict, &editor, &store).await,
        Err(WriteError::Failure(failure)) => failed(attempt, failure, &editor, &store).await,
    }
}

/// Saves the form of a component.
pub(super) async fn change(
    Editor(editor): Editor,
    State(store): State<Store>,
    Path(id): Path<String>,
    fields: FormData,
) -> Result<Response, Failure> {
    let draft = Draft::read(&fields);
    let version = fields.number("version")?;
    let id = id.parse().map(ComponentId).map_err(|_| super::no_component())?;
    let Some(current) = store.component(id).await? else {
        return Attempt::new(&draft, None).trouble(GONE).answer(&editor, &store, StatusCode::CONFLICT).await;
    };
    if current.version != version {
        return merge::show(&editor, &store, draft, version, current).await;
    }
    let attempt = Attempt::new(&draft, Some(current.clone()));
    let patch = match draft.patch(&current.custom_fields) {
        Ok(patch) => patch,
        Err(invalid) => {
            return attempt.errors(invalid).answer(&editor, &store, StatusCode::UNPROCESSABLE_ENTITY).await;
        }
    };
    let operation = ComponentOperation::Update {
        id,
        expected: VersionPrecondition::version(version),
        patch: Box::new(patch),
    };
    match store.write_one(operation, WriteContext::new(editor.actor())).await {
        Ok(written) => {
            let unchanged = matches!(written.result, OperationResult::Unchanged(_));
            Ok(then(&fields, id, if unchanged { &Flash::Unchanged } else { &Flash::Saved }))
        }
        Err(WriteError::Conflict(Conflict::Stale(current))) => {
            merge::show(&editor, &store, draft.clone(), version, current.as_ref().clone()).await
        }
        Err(WriteError::Conflict(conflict)) => refused(attempt, conflict, &editor, &store).await,
        Err(WriteError::Failure(failure)) => failed(attempt, failure, &editor, &store).await,
    }
}

/// What is said where a component was deleted while its form was open.
const GONE: &str =
    "This component was deleted in the meantime. Your input is below: create it again, or leave the page.";

/// The form again, because of what the components are now.
async fn refused(
    attempt: Attempt<'_>,
    conflict: Conflict,
    editor: &SignedIn,
    store: &Store,
) -> Result<Response, Failure> {
    match conflict {
        Conflict::SkuTaken(_) => {
            let error = FieldError {
                pointer: format!("/{}", Field::Sku.as_str()),
                detail: "is already used by another component".to_owned(),
            };
            attempt.errors(ValidationErrors(vec![error])).answer(editor, store, StatusCode::CONFLICT).await
        }
        Conflict::Invalid(invalid) => {
            attempt.errors(invalid).answer(editor, store, StatusCode::UNPROCESSABLE_ENTITY).await
        }
        Conflict::NoComponent(_) | Conflict::Stale(_) => {
            let attempt = Attempt { component: None, ..attempt };
            attempt.trouble(GONE).answer(editor, store, StatusCode::CONFLICT).await
        }
    }
}

/// The form again, because it could not be saved now.
async fn failed(
    attempt: Attempt<'_>,
    failure: WriteFailure,
    editor: &SignedIn,
    store: &Store,
) -> Result<Response, Failure> {
    let trouble = match failure {
        WriteFailure::Busy => "The server is busy, so nothing was saved. Try again in a moment.",
        WriteFailure::Unavailable(_) => {
            "The database is not responding, so nothing was saved. Try again in a moment."
        }
        WriteFailure::OutcomeUnknown => {
            "The database connection was lost while saving. Check whether it was saved before you try again."
        }
        failure => return Err(failure.into()),
    };
    tracing::error!(error = %failure, "failed to save a form");
    attempt.trouble(trouble).answer(editor, store, StatusCode::SERVICE_UNAVAILABLE).await
}

/// On to the page that the button which was pressed asks for.
fn then(fields: &FormData, id: ComponentId, notice: &Flash) -> Response {
    let to = if fields.text("then") == "another" { NEW_PATH.to_owned() } else { super::path(id) };
    let mut response = Redirect::to(&to).into_response();
    response.headers_mut().append(header::SET_COOKIE, notice.cookie());
    response
}

#[derive(Template)]
#[template(path = "delete.html")]
struct DeletePage {
    layout: Layout,
    component: Component,
    /// Whether it was changed since someone was asked.
    changed: bool,
}

impl DeletePage {}

async fn confirm_delete(
    Editor(editor): Editor,
    State(store): State<Store>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let component = super::find(&store, &id).await?;
    let layout = editor.layout(Section::Components);
    DeletePage { layout, component, changed: false }.answer(StatusCode::OK)
}

async fn delete(
    Editor(editor): Editor,
    State(store): State<Store>,
    Path(id): Path<String>,
    fields: FormData,
) -> Result<Response, Failure> {
    let id = id.parse().map(ComponentId).map_err(|_| super::no_component())?;
    let operation =
        ComponentOperation::Delete { id, expected: VersionPrecondition::version(fields.number("version")?) };
    match store.write_one(operation, WriteContext::new(editor.actor())).await {
        Ok(_) => {
            let mut response = Redirect::to(PATH).into_response();
            response.headers_mut().append(header::SET_COOKIE, Flash::Deleted(1).cookie());
            Ok(response)
        }
        Err(WriteError::Conflict(Conflict::Stale(current))) => {
            let layout = editor.layout(Section::Components);
            let component = current.as_ref().clone();
            DeletePage { layout, component, changed: true }.answer(StatusCode::CONFLICT)
        }
        Err(WriteError::Conflict(_)) => Err(super::deleted()),
        Err(WriteError::Failure(failure)) => Err(failure.into()),
    }
}
