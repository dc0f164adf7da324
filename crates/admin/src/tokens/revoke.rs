//! Revoking a token, after it was asked whether to.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{Html, Response},
    routing::get,
};
use inventory_core::{Role, Token, TokenId};
use inventory_store::{Store, TokenKey, TokenNotFound, WriteError};

use super::PATH;
use crate::{
    Admin,
    auth::SignedIn,
    failure::Failure,
    layout::{Flash, Layout, Section},
    render,
    routes::Router,
};

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new().route("/admin/tokens/{id}/revoke", get(confirm).post(revoke))
}

#[derive(Template)]
#[template(path = "token_revoke.html")]
struct RevokePage {
    layout: Layout,
    token: Token,
}

async fn confirm(
    signed_in: SignedIn,
    State(store): State<Store>,
    Path(id): Path<String>,
) -> Result<Html<String>, Failure> {
    let token = find(&signed_in, &store, &id).await?;
    Ok(Html(RevokePage { layout: signed_in.layout(Section::Tokens), token }.render()?))
}

async fn revoke(
    signed_in: SignedIn,
    State(store): State<Store>,
    Path(id): Path<String>,
) -> Result<Response, Failure> {
    let token = find(&signed_in, &store, &id).await?;
    match store.tokens().revoke(TokenKey::Id(token.id), signed_in.actor()).await {
        Ok(_) => Ok(render::done(PATH, &Flash::TokenRevoked)),
        Err(WriteError::Conflict(TokenNotFound(_))) => Err(no_token()),
        Err(WriteError::Failure(failure)) => Err(failure.into()),
    }
}

/// The token with this id, if the user may revoke it: their own, and as an administrator any.
async fn find(signed_in: &SignedIn, store: &Store, id: &str) -> Result<Token, Failure> {
    let id = id.parse().map(TokenId).map_err(|_| no_token())?;
    let found =
        store.tokens().list().await?.into_iter().find(|token| token.id == id && token.revoked_at.is_none());
    let token = found.ok_or_else(no_token)?;
    if token.owner == Some(signed_in.user.id) || signed_in.user.role >= Role::Admin {
        Ok(token)
    } else {
        Err(Failure::Forbidden(Role::Admin))
    }
}

fn no_token() -> Failure {
    Failure::NotFound("This token does not exist, or it was already revoked.".to_owned())
}
