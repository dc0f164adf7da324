//! Pages as answers.

use askama::Template;
use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};

use crate::failure::Failure;

/// What every page can become.
pub(crate) trait Answer: Template {
    /// The page, with the status that says what came of the request.
    fn answer(&self, status: StatusCode) -> Result<Response, Failure> {
        Ok((status, Html(self.render()?)).into_response())
    }
}

impl<T: Template> Answer for T {}
