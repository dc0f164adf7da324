//! Requests that may be repeated: the `Idempotency-Key` header.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, request::Parts},
};
use inventory_core::TokenId;
use inventory_http::Problem;
use inventory_store::Idempotency;
use sha2::{Digest, Sha256};
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, Required,
        path::{Parameter, ParameterIn},
        schema::Type,
    },
};

use crate::openapi;

/// How long a key may be, in characters.
const MAX_CHARS: usize = 255;
/// What a key matches.
const PATTERN: &str = "^[!-~]{1,255}$";
/// The name of the header.
const HEADER: &str = "Idempotency-Key";
/// The header of an answer that was given before.
const REPLAYED_HEADER: &str = "idempotency-replayed";

/// The `Idempotency-Key` of a request, if it has one.
pub(crate) struct IdempotencyKey(Option<String>);

impl IdempotencyKey {
    /// The name under which the answer to this request is kept: what is asked of whom, and by whom.
    pub(crate) fn of(self, token: TokenId, path: &str, body: &[u8]) -> Option<Idempotency> {
        self.0.map(|key| Idempotency {
            scope: token.to_string(),
            key,
            // No path holds a line end, so where one part ends and the next begins is plain.
            fingerprint: Sha256::new_with_prefix("POST ")
                .chain_update(path)
                .chain_update("\n")
                .chain_update(body)
                .finalize()
                .into(),
        })
    }
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut lines = parts.headers.get_all(HEADER).iter();
        let (Some(line), another) = (lines.next(), lines.next()) else { return Ok(Self(None)) };
        let key = line.to_str().ok().filter(|key| {
            another.is_none()
                && (1..=MAX_CHARS).contains(&key.len())
                && key.bytes().all(|byte| byte.is_ascii_graphic())
        });
        match key {
            Some(key) => Ok(Self(Some(key.to_owned()))),
            None => Err(Problem::header(
                HEADER,
                format!("must be 1 to {MAX_CHARS} visible ASCII characters, and be sent once"),
            )),
        }
    }
}

/// Says in an answer whether it is an earlier one.
pub(crate) fn mark(headers: &mut HeaderMap, replayed: bool) {
    if replayed {
        headers.insert(REPLAYED_HEADER, HeaderValue::from_static("true"));
    }
}

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(PATTERN))
            .min_length(Some(1))
            .max_length(Some(MAX_CHARS));
        let about = "An identifier of this request, chosen by the client, such as a UUID. A request that is \
                     repeated with the same key within 24 hours is carried out once, and gets the same \
                     response each time.";
        vec![openapi::header(HEADER, Required::False, about, schema)]
    }
}
