//! The parameters of a request: its query, and the id in its path.

use std::borrow::Cow;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use inventory_http::Problem;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use uuid::Uuid;

/// What need not be escaped in a query (RFC 3986 §2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b',');

/// How long a hyphenated UUID is, in characters.
const UUID_CHARS: usize = 36;

/// The parameters of a query, each name once.
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Takes one out.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// Those that nobody has taken.
    pub(crate) fn rest(self) -> impl Iterator<Item = (String, String)> {
        self.0.into_iter()
    }

    /// Refuses those that nobody has taken. `known` lists the names there are.
    pub(crate) fn finish(self, known: &[&str]) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(unknown(name, known)),
        }
    }
}

/// The refusal of a parameter that is not known.
pub(crate) fn unknown(name: &str, known: &[&str]) -> Problem {
    let known = if known.is_empty() {
        "there are none here".to_owned()
    } else {
        format!("there are {}", known.join(", "))
    };
    Problem::parameter(name, format!("is not known; {known}"))
}

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        let query = parts.uri.query().unwrap_or_default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(Problem::parameter(&name, "appears twice"));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }
}

fn decoded(text: &str) -> Result<String, Problem> {
    let spaced = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(Problem::parameter(text, "is not UTF-8")),
    }
}

/// Appends a parameter to a query.
pub(crate) fn append(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.extend(utf8_percent_encode(name, ESCAPED));
    query.push('=');
    query.extend(utf8_percent_encode(value, ESCAPED));
}

/// Nothing in the query: for the paths that take no parameters.
pub(crate) struct NoParameters;

impl<S: Sync> FromRequestParts<S> for NoParameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Parameters::from_request_parts(parts, state).await?.finish(&[])?;
        Ok(Self)
    }
}

/// The id of the resource that the path names.
pub(crate) struct Id<T>(pub(crate) T);

impl<S: Send + Sync, T: From<Uuid>> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let parameters = RawPathParams::from_request_parts(parts, state).await;
        let id = parameters.ok().and_then(|parameters| {
            let (_, text) = parameters.iter().find(|(name, _)| *name == "id")?;
            // The other forms that a UUID can be written in are not ids here.
            (text.len() == UUID_CHARS).then(|| text.parse::<Uuid>().ok()).flatten()
        });
        match id {
            Some(id) => Ok(Self(id.into())),
            None => {
                Err(Problem::parameter("id", "must be a UUID such as 0190a6e3-7d3c-7f4e-8a51-0b6c2f1d9e34"))
            }
        }
    }
}
