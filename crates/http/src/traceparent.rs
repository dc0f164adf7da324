//! The trace that a request belongs to (W3C Trace Context).

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};

/// How long a `traceparent` of version 00 is, in characters.
const CHARS: usize = 55;

/// The `traceparent` header of a request. One that is not valid is as good as none, as the recommendation
/// says.
#[derive(Debug, Clone)]
pub struct Traceparent(pub Option<Arc<str>>);

impl<S: Sync> FromRequestParts<S> for Traceparent {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(read(&parts.headers).map(Arc::from)))
    }
}

/// The header, where it is valid.
pub(crate) fn read(headers: &HeaderMap) -> Option<&str> {
    headers.get("traceparent")?.to_str().ok().filter(|text| is_valid(text))
}

/// `00-{32 hex digits}-{16 hex digits}-{2 hex digits}`, neither id all zeros, version not ff.
fn is_valid(text: &str) -> bool {
    let hex = |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let id = |part: &str| hex(part) && part.bytes().any(|byte| byte != b'0');
    let mut parts = text.split('-');
    let (Some(version), Some(trace), Some(parent), Some(flags), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    text.len() == CHARS
        && (version.len(), trace.len(), parent.len()) == (2, 32, 16)
        && hex(version)
        && version != "ff"
        && id(trace)
        && id(parent)
        && hex(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_recommendation_allows_is_taken() {
        assert!(is_valid("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
        for bad in [
            "",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-0af7651916cd43dd8448eb211c80319cb7ad6b7169203331--0101",
        ] {
            assert!(!is_valid(bad), "{bad:?} was taken for a traceparent");
        }
    }
}
