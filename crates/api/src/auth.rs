//! Who asks, and what they may: the bearer token of a request and its scopes.

use std::{marker::PhantomData, sync::Arc};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, header::AUTHORIZATION, request::Parts},
};
use inventory_core::{Actor, Scope, Token};
use inventory_store::{Authenticated, Store};

use crate::{kind::Kind, problem::Problem};

/// The detail of a request without a token.
const NO_TOKEN: &str =
    "send the header Authorization: Bearer TOKEN; tokens are made with `inventory token create`";

/// What a handler needs of whoever calls it.
pub(crate) trait Needs {
    /// The scope that a token must have.
    const SCOPE: Scope;
}

/// Reading components and events.
pub(crate) enum Read {}
/// Changing components.
pub(crate) enum Change {}

impl Needs for Read {
    const SCOPE: Scope = Scope::Read;
}

impl Needs for Change {
    const SCOPE: Scope = Scope::Write;
}

/// Someone with a good token that opens what is needed. A handler that takes this first answers nobody else.
pub(crate) struct Caller<N> {
    authenticated: Authenticated,
    needs: PhantomData<N>,
}

impl<N> Caller<N> {
    /// The token.
    pub(crate) fn token(&self) -> &Arc<Token> {
        &self.authenticated.token
    }

    /// The caller as events and rows name it.
    pub(crate) fn actor(&self) -> Actor {
        Actor::token(&self.token().name)
    }

    /// Whether the caller may also do this.
    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.authenticated.may(scope)
    }
}

/// What the bearer token of a request is, once it was looked up: `None` where it is no good one.
#[derive(Debug, Clone)]
pub(crate) struct Identity(pub(crate) Option<Authenticated>);

impl<S, N> FromRequestParts<S> for Caller<N>
where
    S: Send + Sync,
    Store: FromRef<S>,
    N: Needs,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let authenticated = if let Some(Identity(authenticated)) = parts.extensions.get() {
            authenticated.clone()
        } else {
            let Some(secret) = bearer(&parts.headers) else {
                return Err(Problem::new(Kind::Unauthorized, NO_TOKEN));
            };
            Store::from_ref(state).tokens().authenticate(secret).await?
        };
        let Some(authenticated) = authenticated else {
            let detail = "there is no such token, it is revoked or has expired, or its owner is disabled";
            return Err(Problem::new(Kind::Unauthorized, detail));
        };
        if !authenticated.may(N::SCOPE) {
            return Err(insufficient(&authenticated, N::SCOPE));
        }
        Ok(Self { authenticated, needs: PhantomData })
    }
}

/// The refusal of a token that is good, but not for this.
pub(crate) fn insufficient(found: &Authenticated, needed: Scope) -> Problem {
    let Token { name, scopes, .. } = &*found.token;
    let detail = match &found.owner {
        Some(owner) if scopes.cover(needed) => format!(
            "this needs the scope \"{needed}\"; the token {name:?} has it, but its owner {} is {} and may not",
            owner.name, owner.role
        ),
        _ => format!("this needs the scope \"{needed}\"; the token {name:?} has \"{scopes}\""),
    };
    Problem::new(Kind::InsufficientScope, detail)
}

/// The secret in `Authorization: Bearer SECRET`; `None` where it is missing or has another form.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, secret) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    // The name of a scheme is the same in capitals (RFC 9110 §11.1).
    scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim_start_matches(' '))
}
