//! Adding a user.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response, routing::get};
use inventory_core::{Role, UserName};
use inventory_store::{Store, WriteError};

use crate::{
    Admin,
    auth::{Administrator, SignedIn},
    failure::Failure,
    form_data::FormData,
    layout::{Flash, Layout, Section},
    password,
    render::{self, Answer as _},
    routes::Router,
    users,
};

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new().route("/admin/users/new", get(blank).post(create))
}

#[derive(Template)]
#[template(path = "user_new.html")]
struct NewUserPage {
    layout: Layout,
    name: String,
    role: Role,
    name_error: Option<String>,
    password_error: Option<String>,
}

impl NewUserPage {
    fn new(admin: &SignedIn, name: &str, role: Role) -> Self {
        let layout = admin.layout(Section::Users);
        Self { layout, name: name.to_owned(), role, name_error: None, password_error: None }
    }
}

async fn blank(Administrator(admin): Administrator) -> Result<Response, Failure> {
    NewUserPage::new(&admin, "", Role::Viewer).answer(StatusCode::OK)
}

async fn create(
    Administrator(admin): Administrator,
    State(store): State<Store>,
    fields: FormData,
) -> Result<Response, Failure> {
    let typed = fields.text("name").trim();
    let role: Role =
        fields.text("role").parse().map_err(|error| Failure::BadRequest(format!("The role {error}.")))?;
    let mut page = NewUserPage::new(&admin, typed, role);
    let (name, password) = match (typed.parse::<UserName>(), password::typed(&fields)) {
        (Ok(name), Ok(password)) => (name, password),
        (name, password) => {
            page.name_error = name.err().map(|error| format!("The name {error}."));
            page.password_error = password.err();
            return page.answer(StatusCode::UNPROCESSABLE_ENTITY);
        }
    };
    match store.users().create(name, role, password, admin.actor()).await {
        Ok(user) => Ok(render::done(&users::path(user.id), &Flash::UserAdded)),
        Err(WriteError::Conflict(taken)) => {
            page.name_error = Some(render::sentence(taken));
            page.answer(StatusCode::CONFLICT)
        }
        Err(WriteError::Failure(failure)) => Err(failure.into()),
    }
}
