//! One line of the log for each request.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::{Method, Uri},
    response::Response,
};

use crate::{client_ip::Client, problem::Cause};

/// What the log says of a request.
pub(super) struct AccessLogEntry {
    client: Client,
    method: Method,
    uri: Uri,
    route: Option<MatchedPath>,
    since: Instant,
}

impl AccessLogEntry {
    pub(super) fn new(client: Client, request: &Request) -> Self {
        Self {
            client,
            method: request.method().clone(),
            uri: request.uri().clone(),
            route: request.extensions().get().cloned(),
            since: Instant::now(),
        }
    }

    /// The line about this request as a whole: an error where nobody foresaw the failure.
    pub(super) fn write(&self, response: &Response) {
        let Self { client: Client { address: client, secure: _ }, method, uri, route, since } = self;
        let (path, status) = (uri.path(), response.status().as_u16());
        let route = route.as_ref().map(MatchedPath::as_str);
        let duration_ms = since.elapsed().as_secs_f64() * 1000.0;
        if let Some(Cause { instance, reason }) = response.extensions().get() {
            tracing::error!(
                %client, %method, path, route, status, duration_ms, instance, reason, "request failed"
            );
        } else {
            tracing::debug!(%client, %method, path, route, status, duration_ms, "request answered");
        }
    }
}
