//! Failures of the framework and of the layers, which have no body that says what went wrong.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use crate::problem::{MEDIA_TYPE, Problem, ProblemType};

/// Makes a problem of a failure that is none yet. A page for people is left as it is.
pub(super) fn fill_in(response: Response) -> Response {
    if !(response.status().is_client_error() || response.status().is_server_error()) {
        return response;
    }
    let told = |value: &HeaderValue| value == MEDIA_TYPE || value.as_bytes().starts_with(b"text/html");
    if response.headers().get(header::CONTENT_TYPE).is_some_and(told) {
        return response;
    }
    let kind = ProblemType::of_status(response.status());
    let mut problem = Problem::new(kind, kind.title()).with_status(response.status()).into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn a_page_for_people_is_left_as_it_is() {
        let page = (StatusCode::NOT_FOUND, axum::response::Html("nothing here")).into_response();
        let page = fill_in(page);
        assert_eq!(page.status(), StatusCode::NOT_FOUND);
        assert_eq!(page.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
    }
}
