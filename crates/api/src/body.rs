//! The body of a request, within its limit.

use std::error::Error;

use axum::{
    body::{Body, BodyDataStream},
    extract::{FromRequest, Request},
    http::{
        HeaderMap, Method,
        header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT},
    },
};
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use serde_json::Value;
use tower_http::timeout::TimeoutError;

use crate::{json, kind::Kind, problem::Problem};

/// How long the body of a request for one component may be, in bytes.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;
/// How long the body of a batch may be, in bytes.
pub(crate) const MAX_BATCH_BYTES: usize = 32 * 1024 * 1024;

/// How much of a body that is too long is read and thrown away, in bytes. A client that is still sending when
/// the connection closes may lose the answer that tells it why.
const MAX_DISCARDED_BYTES: usize = 64 * 1024 * 1024;

/// The media type of a JSON body.
pub(crate) const JSON: &str = "application/json";
/// The media type of a JSON merge patch (RFC 7396).
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";

/// A JSON body of at most so many bytes.
pub(crate) struct JsonBody<const LIMIT: usize>(pub(crate) Bytes);

impl<const LIMIT: usize> JsonBody<LIMIT> {
    /// What it holds.
    pub(crate) fn value(&self) -> Result<Value, Problem> {
        json::read(&self.0)
    }
}

impl<S: Sync, const LIMIT: usize> FromRequest<S> for JsonBody<LIMIT> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        media_type(request.method(), request.headers())?;
        read(request, LIMIT).await.map(Self)
    }
}

/// Refuses a body that does not say that it is JSON.
fn media_type(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let taken: &[&str] = if method == Method::PATCH { &[MERGE_PATCH, JSON] } else { &[JSON] };
    let stated = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = stated.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    // JSON is UTF-8 (RFC 8259 §8.1); a client that says otherwise would be misread.
    let mut parameters = parts.filter_map(|parameter| parameter.split_once('='));
    let utf8 = parameters.all(|(name, value)| {
        !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    if utf8 && taken.iter().any(|taken| essence.eq_ignore_ascii_case(taken)) {
        return Ok(());
    }
    let stated = if stated.is_empty() { "missing".to_owned() } else { format!("{stated:?}") };
    Err(Problem::new(
        Kind::UnsupportedMediaType,
        format!("the Content-Type is {stated}, and must be {} in UTF-8", taken.join(" or ")),
    ))
}

async fn read(request: Request, limit: usize) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    let stated: Option<usize> =
        parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let mut chunks = body.into_data_stream();
    if stated.is_some_and(|length| length > limit) {
        // A client that waits for `100 Continue` has not begun to send.
        if !parts.headers.contains_key(EXPECT) {
            discard(chunks, 0).await;
        }
        return Err(too_large(limit));
    }
    // Most bodies come in one piece, which is then not copied.
    let Some(first) = chunks.try_next().await.map_err(unreadable)? else { return Ok(Bytes::new()) };
    if stated == Some(first.len()) {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    while whole.len() <= limit {
        match chunks.try_next().await.map_err(unreadable)? {
            Some(chunk) => whole.extend_from_slice(&chunk),
            None => return Ok(whole.freeze()),
        }
    }
    discard(chunks, whole.len()).await;
    Err(too_large(limit))
}

/// Why a body did not come to its end.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn unreadable(error: axum::Error) -> Problem {
    let mut causes = std::iter::successors(Some(&error as &(dyn Error + 'static)), |error| (*error).source());
    if causes.any(<dyn Error>::is::<TimeoutError>) {
        return Problem::new(Kind::SlowBody, "the body was not complete in time");
    }
    Problem::new(Kind::MalformedBody, format!("the body ended early: {error}"))
}

/// Reads the rest of a body away, so that its sender comes to read the answer.
async fn discard(mut chunks: BodyDataStream, mut read: usize) {
    while let Ok(Some(chunk)) = chunks.try_next().await {
        read += chunk.len();
        if read > MAX_DISCARDED_BYTES {
            return;
        }
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(Kind::TooLarge, format!("the body is longer than {limit} bytes, which is the most here"))
}

/// Room for most components, in bytes, so that a body does not grow step by step from nothing.
const COMPONENT_BYTES: usize = 1024;

/// The body of a response that holds so many components, serialised once. The values that are sent here have no map with keys that are not
/// texts and no number that JSON does not know, so they cannot fail.
pub(crate) fn of(value: &impl serde::Serialize, components: usize) -> Result<Body, Problem> {
    let mut body = Vec::with_capacity(components * COMPONENT_BYTES);
    serde_json::to_writer(&mut body, value)
        .map(|()| Body::from(body))
        .map_err(|error| Problem::unexpected(Kind::Internal, "the service cannot write its answer", &error))
}
