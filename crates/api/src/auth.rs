//! Who asks: the bearer token of a request.

use std::sync::Arc;

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, header::AUTHORIZATION, request::Parts},
};
use inventory_core::{Actor, Token};
use inventory_store::Store;

use crate::{kind::Kind, problem::Problem};

/// Someone with a good token. A handler that takes this first answers nobody else.
pub(crate) struct Caller {
    /// The token.
    pub(crate) token: Arc<Token>,
}

impl Caller {
    /// The caller as events and rows name it.
    pub(crate) fn actor(&self) -> Actor {
        Actor::token(&self.token.name)
    }
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Store: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Some(secret) = bearer(&parts.headers) else {
            return Err(Problem::new(
                Kind::Unauthorized,
                "send the header Authorization: Bearer TOKEN; tokens are made with `inventory token create`",
            ));
        };
        match Store::from_ref(state).authenticate(secret).await? {
            Some(token) => Ok(Self { token }),
            None => Err(Problem::new(Kind::Unauthorized, "there is no such token, or it is revoked")),
        }
    }
}

/// The secret in `Authorization: Bearer SECRET`; `None` where it is missing or has another form.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, secret) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    // The name of a scheme is the same in capitals (RFC 9110 §11.1).
    scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim_start_matches(' '))
}
