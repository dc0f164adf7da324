//! What every answer tells browsers that they must not do with it.

use axum::http::{
    HeaderMap, HeaderValue,
    header::{
        CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
        X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
};

/// The default content security policy: a page may load resources from this service, connect and send forms
/// to it, and not be framed. Inline scripts and styles are forbidden. A handler that needs more sets its own
/// header.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// What anything else may do where a browser shows it: nothing.
const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// How a client that came by TLS comes for a year, in seconds.
const TRANSPORT_SECURITY: &str = "max-age=31536000";

/// Adds the security headers to a response, and keeps a policy that the handler set. `secure` says whether
/// the client connected over TLS.
pub(crate) fn add(headers: &mut HeaderMap, secure: bool) {
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        let html = headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
        let policy = if html { PAGE_POLICY } else { DATA_POLICY };
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // Within the service only. `no-referrer` would also empty the `Origin` by which forms of others are refused.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if secure {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TRANSPORT_SECURITY));
    }
}
