//! Adding a user.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response, routing::get};
use inventory_core::{Role, UserName};
use inventory_store::{Store, WriteError};

use crate::{
    Admin,
    answer::Answer as _,
    failure::Failure,
    fields::Fields,
    password, people,
    routes::Router,
    session::{Administrator, SignedIn},
    shell::{Notice, Section, Shell},
};

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new().route("/admin/users/new", get(blank).post(create))
}

#[derive(Template)]
#[template(path = "user_new.html")]
struct NewUserPage {
    shell: Shell,
    name: String,
    role: Role,
    name_error: Option<String>,
    password_error: Option<String>,
}

impl NewUserPage {
    fn new(admin: &SignedIn, name: &str, role: Role) -> Self {
        let shell = admin.shell(Section::Users);
        Self { shell, name: name.to_owned(), role, name_error: None, password_error: None }
    }
}

async fn blank(Administrator(admin): Administrator) -> Result<Response, Failure> {
    NewUserPage::new(&admin, "", Role::Viewer).answer(StatusCode::OK)
}

async fn create(
    Administrator(admin): Administrator,
    State(store): State<Store>,
    fields: Fields,
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
        Ok(user) => Ok(people::done(&people::path(user.id), &Notice::UserAdded)),
        Err(WriteError::Conflict(taken)) => {
            page.name_error = Some(people::sentence(taken));
            page.answer(StatusCode::CONFLICT)
        }
        Err(WriteError::Failure(failure)) => Err(failure.into()),
    }
}
