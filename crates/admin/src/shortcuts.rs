//! The keys by which the admin is used, as a page; a script shows it over whatever page one is on.

use askama::Template;
use axum::{response::Html, routing::get};

use crate::{
    Admin,
    auth::SignedIn,
    failure::Failure,
    layout::{Layout, Section},
    routes::Router,
};

/// Where it is.
pub(crate) const PATH: &str = "/admin/keys";

/// The pages of this module.
pub(crate) fn router() -> Router<Admin> {
    Router::new().route(PATH, get(keys))
}

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    layout: Layout,
}

async fn keys(signed_in: SignedIn) -> Result<Html<String>, Failure> {
    Ok(Html(KeysPage { layout: signed_in.layout(Section::Elsewhere) }.render()?))
}
