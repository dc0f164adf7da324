//! Entity tags (RFC 9110 §8.8.3): the version of a component in quotes.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{IF_MATCH, IF_NONE_MATCH},
        request::Parts,
    },
};
use inventory_http::{Problem, ProblemType};
use inventory_store::VersionPrecondition;
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, Required,
        path::{Parameter, ParameterIn},
        schema::Type,
    },
};

use crate::openapi;

/// What proxies append to the tag of an answer that they compress: Apache's `mod_deflate` and `mod_brotli`. nginx makes
/// the tag weak instead.
const COMPRESSION_SUFFIXES: [&str; 2] = ["-gzip", "-br"];

/// What `If-Match` matches: `*`, or entity tags with commas between them.
const PATTERN: &str = r#"^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$"#;

/// The strong tag of a version.
pub(crate) fn of(version: u64) -> HeaderValue {
    // Digits and quotes are always a header value.
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// The version that a change expects: `If-Match`, which must be there.
pub(crate) struct IfMatch(pub(crate) VersionPrecondition);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        match Condition::read(&parts.headers, &IF_MATCH) {
            Some(Ok(Condition::Any)) => Ok(Self(VersionPrecondition::Any)),
            // RFC 9110 §13.1.1 wants a strong comparison, because a weak tag may name several states. These name one
            // version, whatever a proxy did to the bytes. A tag that is not a version matches nothing.
            Some(Ok(Condition::Tags(tags))) => {
                Ok(Self(VersionPrecondition::OneOf(tags.iter().filter_map(Tag::version).collect())))
            }
            Some(Err(Malformed)) => Err(Problem::header(
                "If-Match",
                "must be * or entity tags in quotes with commas between them, such as \"3\"",
            )),
            None => Err(Problem::new(
                ProblemType::IfMatchRequired,
                "send If-Match with the ETag of the component that the change is made from, or If-Match: * \
                 to change whatever is there now",
            )),
        }
    }
}

/// What the client has already: `If-None-Match`. Nobody has what is not written as a tag.
pub(crate) struct IfNoneMatch(Option<Condition>);

impl IfNoneMatch {
    /// Whether the client has this version.
    pub(crate) fn has(&self, version: u64) -> bool {
        match &self.0 {
            None => false,
            Some(Condition::Any) => true,
            Some(Condition::Tags(tags)) => tags.iter().any(|tag| tag.version() == Some(version)),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(Condition::read(&parts.headers, &IF_NONE_MATCH).and_then(Result::ok)))
    }
}

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let about = "The `ETag` of the version that the change is based on; several, separated by commas; or \
                     `*` for any version. Weak tags are accepted, and so is the suffix `-gzip` that proxies \
                     add when they compress the response.";
        let schema = ObjectBuilder::new().schema_type(Type::String).pattern(Some(PATTERN));
        vec![openapi::header("If-Match", Required::True, about, schema)]
    }
}

impl IntoParams for IfNoneMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let about = "The `ETag`s that the client already has, or `*`.";
        let schema = ObjectBuilder::new().schema_type(Type::String);
        vec![openapi::header("If-None-Match", Required::False, about, schema)]
    }
}

#[derive(Debug, PartialEq)]
enum Condition {
    Any,
    Tags(Vec<Tag>),
}

/// A header that is there and is not a condition.
struct Malformed;

/// The text between the quotes of an entity tag, weak or strong.
#[derive(Debug, PartialEq)]
struct Tag(String);

impl Tag {
    /// The version that it names, if it is one as [`of`] writes it, but for what a proxy appended: tags are compared
    /// letter by letter, so `"03"` is not `"3"`.
    fn version(&self) -> Option<u64> {
        let Self(tag) = self;
        let digits = COMPRESSION_SUFFIXES.iter().find_map(|suffix| tag.strip_suffix(suffix)).unwrap_or(tag);
        let version: u64 = digits.parse().ok()?;
        (version.to_string() == digits).then_some(version)
    }
}

impl Condition {
    /// The condition in a header, where the header is there.
    fn read(headers: &HeaderMap, name: &HeaderName) -> Option<Result<Self, Malformed>> {
        let mut lines = headers.get_all(name).iter().peekable();
        lines.peek()?;
        let lines: Result<Vec<_>, _> = lines.map(HeaderValue::to_str).collect();
        // Several lines are one list (RFC 9110 §5.3).
        Some(lines.ok().and_then(|lines| Self::parse(&lines.join(","))).ok_or(Malformed))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim_matches([' ', '\t']);
        if rest == "*" {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        loop {
            let tag = rest.strip_prefix("W/").unwrap_or(rest);
            let (opaque, after) = tag.strip_prefix('"')?.split_once('"')?;
            if !opaque.bytes().all(|byte| matches!(byte, b'!'..=b'~')) {
                return None;
            }
            tags.push(Tag(opaque.to_owned()));
            let after = after.trim_start_matches([' ', '\t']);
            if after.is_empty() {
                return Some(Self::Tags(tags));
            }
            rest = after.strip_prefix(',')?.trim_start_matches([' ', '\t']);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_as_rfc_9110_writes_them() {
        let versions = |text| match Condition::parse(text) {
            Some(Condition::Tags(tags)) => tags.iter().map(Tag::version).collect::<Vec<_>>(),
            other => panic!("{text:?} was read as {other:?}"),
        };
        assert_eq!(Condition::parse(" * "), Some(Condition::Any));
        assert_eq!(versions("\"3\""), [Some(3)]);
        assert_eq!(versions("\"3\" ,\"4-gzip\", W/\"5\",W/\"6-br\""), [Some(3), Some(4), Some(5), Some(6)]);
        assert_eq!(versions("\"03\", \"a,b\", \"\", \"-gzip\", \"3-x\""), [None; 5]);
        for bad in ["", "3", "\"3", "3\"", "\"3\" \"4\"", "\"3\",", ",", "*, \"3\"", "w/\"3\"", "\"a b\""] {
            assert_eq!(Condition::parse(bad), None, "{bad:?} was taken for a condition");
        }
    }
}
