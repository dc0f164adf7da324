//! A slash at the end of a path.

use axum::{
    Router,
    extract::Request,
    http::{Uri, uri::PathAndQuery},
};
use tower::ServiceExt;

/// Takes a path with a slash at its end, where it is no route, as the same path without it.
///
/// This is the fallback of the routes, so that the documented paths cost nothing more.
pub(super) fn ignore(routes: Router) -> Router {
    let without_slash = routes.clone();
    routes.fallback(move |request: Request| without_slash.oneshot(trimmed(request)))
}

/// A request without the slash at the end of its path.
fn trimmed(mut request: Request) -> Request {
    let uri = request.uri();
    let Some(path) = uri.path().strip_suffix('/').filter(|path| !path.is_empty()) else { return request };
    let path = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    // Cannot fail: it is the path as it was, but one character.
    parts.path_and_query = path.parse::<PathAndQuery>().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}
