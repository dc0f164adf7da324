//! The bearer token of a request (RFC 6750).

use axum::http::{HeaderMap, header::AUTHORIZATION};
use inventory_core::{Scope, Token};
use inventory_store::Authenticated;

use crate::problem::{Problem, ProblemType};

/// The detail of a request whose token is not valid.
pub const INVALID_TOKEN: &str =
    "there is no such token, it is revoked or has expired, or its owner is disabled";

/// What the bearer token of a request is, once it was looked up: `None` where it is no good one.
#[derive(Debug, Clone)]
pub struct Identity(pub Option<Authenticated>);

/// The refusal of a token that is good, but not for this.
pub fn insufficient(found: &Authenticated, needed: Scope) -> Problem {
    let Token { name, scopes, .. } = &*found.token;
    let detail = match &found.owner {
        Some(owner) if scopes.cover(needed) => format!(
            "this needs the scope \"{needed}\"; the token {name:?} has it, but its owner {} is {} and may not",
            owner.name, owner.role
        ),
        _ => format!("this needs the scope \"{needed}\"; the token {name:?} has \"{scopes}\""),
    };
    Problem::new(ProblemType::InsufficientScope, detail)
}

/// The secret in `Authorization: Bearer SECRET`; `None` where it is missing or has another form.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, secret) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    // The name of a scheme is the same in capitals (RFC 9110 §11.1).
    scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim_start_matches(' '))
}
