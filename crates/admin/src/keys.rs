//! The keys by which the admin is used, as a page; a script shows it over whatever page one is on.

use askama::Template;
use axum::{response::Html, routing::get};

use crate::{
    Admin,
    failure::Failure,
    routes::Router,
    session::SignedIn,
    shell::{Section, Shell},
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
    shell: Shell,
}

async fn keys(signed_in: SignedIn) -> Result<Html<String>, Failure> {
    Ok(Html(KeysPage { shell: signed_in.shell(Section::Elsewhere) }.render()?))
}
