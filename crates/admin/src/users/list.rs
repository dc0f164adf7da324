//! The list of users.

use askama::Template;
use axum::{extract::State, response::Html, routing::get};
use inventory_core::User;
use inventory_store::Store;

use super::PATH;
use crate::{
    Admin, address,
    auth::Administrator,
    failure::Failure,
    form_data::Parameters,
    format::Moment,
    layout::{Layout, Section},
    routes::Router,
};

/// How many users a page shows.
const PAGE: usize = 100;

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new().route(PATH, get(list))
}

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage {
    layout: Layout,
    total: usize,
    rows: Vec<Row>,
    /// Whether this page is not the first.
    continued: bool,
    /// Where the next page is.
    next: Option<String>,
}

struct Row {
    user: User,
    seen: Option<Moment>,
}

async fn list(
    Administrator(admin): Administrator,
    State(store): State<Store>,
    Parameters(fields): Parameters,
) -> Result<Html<String>, Failure> {
    let users = store.users().list().await?;
    let seen = store.sessions().last_seen().await?;
    let total = users.len();
    let after = fields.text("after");
    let mut left = users.into_iter().filter(|user| user.name.as_str() > after).peekable();
    let rows: Vec<_> =
        left.by_ref().take(PAGE).map(|user| Row { seen: seen.get(&user.id).map(Moment::of), user }).collect();
    let next = left
        .peek()
        .and(rows.last())
        .map(|row| address::with_query(PATH, [("after", row.user.name.as_str())]));
    let page =
        UsersPage { layout: admin.layout(Section::Users), total, rows, continued: !after.is_empty(), next };
    Ok(Html(page.render()?))
}
