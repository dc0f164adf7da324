//! The pages about users, for those who manage them.

pub(crate) mod history;
mod list;
mod new;
mod one;

use std::fmt::Display;

use axum::{
    http::header,
    response::{IntoResponse, Redirect, Response},
};
use inventory_core::{Role, User, UserId};
use inventory_store::Store;

use crate::{Admin, failure::Failure, routes::Router, shell::Notice};

/// Where the list is.
pub(crate) const PATH: &str = "/admin/users";

/// Every page about users.
pub(crate) fn router() -> Router<Admin> {
    Router::new().merge(list::router()).merge(new::router()).merge(one::router()).merge(history::router())
}

/// Where the page of a user is.
pub(crate) fn path(id: UserId) -> String {
    format!("{PATH}/{id}")
}

/// The user with this id, as an address writes it.
async fn find(store: &Store, id: &str) -> Result<User, Failure> {
    let id = id.parse().map(UserId).map_err(|_| no_user())?;
    store.users().find(id).await?.ok_or_else(no_user)
}

fn no_user() -> Failure {
    Failure::NotFound("There is no such user. They may have been removed.".to_owned())
}

/// What a role may do, as it is told where one is chosen.
pub(crate) fn about(role: Role) -> &'static str {
    match role {
        Role::Viewer => "looks at components and their history",
        Role::Editor => "also creates, changes and deletes components",
        Role::Admin => "also manages users and everybody's API tokens",
    }
}

/// A sentence of the store as a page tells it.
pub(crate) fn sentence(conflict: impl Display) -> String {
    let text = conflict.to_string();
    let mut rest = text.chars();
    let first = rest.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", rest.as_str())
}

/// On to a page, where it is told what was done.
pub(crate) fn done(to: &str, notice: &Notice) -> Response {
    let mut response = Redirect::to(to).into_response();
    response.headers_mut().append(header::SET_COOKIE, notice.cookie());
    response
}
