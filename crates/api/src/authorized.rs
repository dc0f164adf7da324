//! Who asks, and what they may: the bearer token of a request and its scopes.

use std::{marker::PhantomData, sync::Arc};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};
use inventory_core::{Actor, Scope, Token};
use inventory_http::{INVALID_TOKEN, Identity, Problem, ProblemType, bearer, insufficient};
use inventory_store::{Authenticated, Store};

/// The detail of a request without a token.
const NO_TOKEN: &str =
    "send the header Authorization: Bearer TOKEN; create a token with `inventory token create`";

/// The scope that a handler requires of its caller.
pub(crate) trait RequiredScope {
    /// The scope that a token must have.
    const SCOPE: Scope;
}

/// Reading components and events.
pub(crate) enum Read {}
/// Changing components.
pub(crate) enum Change {}

impl RequiredScope for Read {
    const SCOPE: Scope = Scope::Read;
}

impl RequiredScope for Change {
    const SCOPE: Scope = Scope::Write;
}

/// Someone with a good token that opens what is needed. A handler that takes this first answers nobody else.
pub(crate) struct Authorized<N> {
    authenticated: Authenticated,
    needs: PhantomData<N>,
}

impl<N> Authorized<N> {
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

impl<S, N> FromRequestParts<S> for Authorized<N>
where
    S: Send + Sync,
    Store: FromRef<S>,
    N: RequiredScope,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let authenticated = if let Some(Identity(authenticated)) = parts.extensions.get() {
            authenticated.clone()
        } else {
            let Some(secret) = bearer(&parts.headers) else {
                return Err(Problem::new(ProblemType::Unauthorized, NO_TOKEN));
            };
            Store::from_ref(state).tokens().authenticate(secret).await?
        };
        let Some(authenticated) = authenticated else {
            return Err(Problem::new(ProblemType::Unauthorized, INVALID_TOKEN));
        };
        if !authenticated.may(N::SCOPE) {
            return Err(insufficient(&authenticated, N::SCOPE));
        }
        Ok(Self { authenticated, needs: PhantomData })
    }
}
