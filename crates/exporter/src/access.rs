//! Who may read the metrics.

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

use axum::http::{
    HeaderMap,
    header::{AUTHORIZATION, HOST},
    uri::Authority,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use inventory_core::Scope;
use inventory_http::{Client, INVALID_TOKEN, Problem, ProblemType, RateLimits, bearer, insufficient};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The name that goes with the token where it is sent as a password.
const USER_NAME: &str = "metrics";
/// How that is asked for, beside the bearer token that every 401 asks for.
const BASIC_CHALLENGE: &str = "Basic realm=\"inventory metrics\", charset=\"UTF-8\"";

/// Who may read the metrics on a listener.
#[derive(Clone)]
pub enum MetricsAccess {
    /// Everyone who can connect.
    Open,
    /// Everyone who can connect and names a loopback host: the listener is one that only this machine reaches. So no page
    /// can read them whose host name was made to lead here (DNS rebinding). An API token with the scope `metrics` opens
    /// them under any name.
    Loopback,
    /// Who sends this token, or an API token with the scope `metrics`: as a bearer token, or as the password of the
    /// user `metrics`.
    Token(TokenDigest),
    /// Who sends an API token with the scope `metrics`. To everyone else the answer says what an operator can do.
    Closed,
}

/// A token of which only the digest is kept, and compared in constant time. Clones are the same: a new token is in force
/// for all of them.
#[derive(Clone)]
pub struct TokenDigest(Arc<RwLock<[u8; 32]>>);

impl MetricsAccess {
    /// Who sends this token.
    pub fn token(secret: &str) -> Self {
        Self::Token(TokenDigest(Arc::new(RwLock::new(digest(secret)))))
    }

    /// Puts another token in force, if one is asked for.
    pub fn replace_token(&self, secret: &str) {
        if let Self::Token(TokenDigest(current)) = self {
            *current.write().unwrap_or_else(PoisonError::into_inner) = digest(secret);
        }
    }

    /// Refuses a request that may not read them.
    pub(crate) async fn check(
        &self,
        headers: &HeaderMap,
        client: Client,
        limits: &RateLimits,
    ) -> Result<(), Problem> {
        let expected = match self {
            Self::Open => return Ok(()),
            Self::Loopback if names_loopback(headers) => return Ok(()),
            Self::Token(token) => Some(token),
            Self::Loopback | Self::Closed => None,
        };
        let Some(secret) = secret(headers) else {
            return Err(match expected {
                Some(_) => unauthorized(
                    "send the token of INVENTORY_METRICS_TOKEN, or an API token with the scope \"metrics\", in the \
                     header Authorization: Bearer TOKEN or as the password of the user metrics",
                ),
                None if matches!(self, Self::Loopback) => Problem::new(
                    ProblemType::Forbidden,
                    "without a token the metrics of this listener are open to requests whose Host is localhost or a \
                     loopback address: set INVENTORY_METRICS_PUBLIC=true to open them under any name, or \
                     INVENTORY_METRICS_TOKEN to ask scrapers for a token",
                ),
                None => Problem::new(
                    ProblemType::Forbidden,
                    "this listener can be reached from other machines, so the metrics are not open on it: send an \
                     API token with the scope \"metrics\", or set INVENTORY_METRICS_TOKEN to ask scrapers for a \
                     token, INVENTORY_METRICS_LISTEN to serve the metrics on a separate listener, or \
                     INVENTORY_METRICS_PUBLIC=true to open them",
                ),
            });
        };
        limits.admit_token(client.address, &secret)?;
        // The operator's own token first: it opens the metrics also while the database is away.
        if expected.is_some_and(|expected| expected.is_of(&secret)) {
            limits.accept(client.address, &secret);
            return Ok(());
        }
        match limits.authenticate(client.address, &secret).await? {
            Some(found) if found.may(Scope::Metrics) => Ok(()),
            Some(found) => Err(insufficient(&found, Scope::Metrics)),
            None => Err(unauthorized(INVALID_TOKEN)),
        }
    }
}

impl fmt::Debug for MetricsAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "Open",
            Self::Loopback => "Loopback",
            Self::Token(_) => "Token",
            Self::Closed => "Closed",
        })
    }
}

impl TokenDigest {
    fn is_of(&self, secret: &str) -> bool {
        // Of the digests, so that not even the length of the token shows in the time that this takes.
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        current.ct_eq(&digest(secret)).into()
    }
}

fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// Whether a request names a host that is this machine by its very name, or none, as no browser does.
fn names_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST) else { return true };
    let Some(authority) = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()) else {
        return false;
    };
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match address.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        // RFC 6761 §6.3.
        Err(_) => host.rsplit('.').next().is_some_and(|label| label.eq_ignore_ascii_case("localhost")),
    }
}

/// The token that a request sends, in either way.
fn secret(headers: &HeaderMap) -> Option<String> {
    bearer(headers).map(ToOwned::to_owned).or_else(|| password(headers))
}

/// The password of the user [`USER_NAME`] in `Authorization: Basic …` (RFC 7617).
fn password(headers: &HeaderMap) -> Option<String> {
    let (scheme, pair) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let pair = scheme.eq_ignore_ascii_case("basic").then(|| BASE64_STANDARD.decode(pair.trim()).ok())??;
    let pair = String::from_utf8(pair).ok()?;
    let (user, password) = pair.split_once(':')?;
    (user == USER_NAME).then(|| password.to_owned())
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(ProblemType::Unauthorized, detail).with_challenge(BASIC_CHALLENGE)
}
