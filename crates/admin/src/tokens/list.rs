//! The list of tokens.

use askama::Template;
use axum::{extract::State, response::Html, routing::get};
use inventory_core::Role;
use inventory_store::Store;

use super::{PATH, Row};
use crate::{
    Admin, address,
    auth::SignedIn,
    failure::Failure,
    form_data::Parameters,
    layout::{Layout, Section},
    routes::Router,
};

/// How many tokens a page shows.
pub(super) const PAGE: usize = 100;

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new().route(PATH, get(list))
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    layout: Layout,
    /// Whether everybody's are shown.
    of_all: bool,
    /// Whether revoked and expired tokens are shown instead of active ones.
    ended: bool,
    tokens: Vec<Row>,
    /// Whether this page is not the first.
    continued: bool,
    next: Option<String>,
}

async fn list(
    signed_in: SignedIn,
    State(store): State<Store>,
    Parameters(fields): Parameters,
) -> Result<Html<String>, Failure> {
    let (of_all, ended) = (signed_in.user.role >= Role::Admin, fields.text("show") == "ended");
    let before = fields.text("before");
    let users = if of_all { store.users().list().await? } else { Vec::new() };
    let owners = users.into_iter().map(|user| (user.id, user.name.to_string())).collect();
    let (used, now) = (store.tokens().last_used().await?, store.clock().now());
    let mut left = store
        .tokens()
        .list()
        .await?
        .into_iter()
        .rev()
        .filter(|token| of_all || token.owner == Some(signed_in.user.id))
        // An id begins with the time at which it was made.
        .filter(|token| before.is_empty() || token.id.to_string().as_str() < before)
        .map(|token| Row::new(token, &used, &owners, now))
        .filter(|row| row.is_good != ended)
        .peekable();
    let tokens: Vec<_> = left.by_ref().take(PAGE).collect();
    let next = left.peek().and(tokens.last()).map(|last| {
        let show = if ended { "ended" } else { "" };
        address::with_query(PATH, [("show", show), ("before", &last.id.to_string())])
    });
    let page = TokensPage {
        layout: signed_in.layout(Section::Tokens),
        of_all,
        ended,
        tokens,
        continued: !before.is_empty(),
        next,
    };
    Ok(Html(page.render()?))
}
