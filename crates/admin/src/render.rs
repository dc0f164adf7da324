//! Pages as answers.

use std::fmt::Display;

use askama::Template;
use axum::{
    http::{StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};

use crate::{failure::Failure, layout::Flash};

/// What every page can become.
pub(crate) trait Answer: Template {
    /// The page, with the status that says what came of the request.
    fn answer(&self, status: StatusCode) -> Result<Response, Failure> {
        Ok((status, Html(self.render()?)).into_response())
    }
}

impl<T: Template> Answer for T {}

/// A sentence of the store as a page tells it.
pub(crate) fn sentence(conflict: impl Display) -> String {
    let text = conflict.to_string();
    let mut rest = text.chars();
    let first = rest.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", rest.as_str())
}

/// On to a page, where it is told what was done.
pub(crate) fn done(to: &str, notice: &Flash) -> Response {
    let mut response = Redirect::to(to).into_response();
    response.headers_mut().append(header::SET_COOKIE, notice.cookie());
    response
}
