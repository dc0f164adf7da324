//! The place in the log that a client asks for: `EPOCH-SEQ`, as the `id` of every frame.

use axum::{extract::FromRequestParts, http::request::Parts};
use inventory_core::{EVENT_TYPES, Seq};
use serde_json::json;
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, RefOr, Required,
        path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle},
        schema::{ArrayBuilder, Schema, Type},
    },
};

use crate::{openapi, problem::Problem};

/// The parameter that says after which position to begin.
pub(super) const AFTER: &str = "after";
/// The parameter that says which events to send.
pub(super) const TYPES: &str = "types";
/// The parameter that says whether to wait for new events.
pub(super) const FOLLOW: &str = "follow";
/// All parameters.
pub(super) const PARAMETERS: [&str; 3] = [AFTER, TYPES, FOLLOW];

const HEADER: &str = "Last-Event-ID";
/// An epoch is made of letters and digits; a place has at most 18 digits, so that it fits 64 bits.
const PATTERN: &str = "^(0|[A-Za-z0-9]{1,64}-[0-9]{1,18})$";
const RULE: &str = "must be the id of an event, or 0 for the beginning";

/// A position that a client names.
#[derive(Debug, PartialEq)]
pub(super) struct Position {
    /// The log; `None` is whichever there is.
    pub(super) epoch: Option<String>,
    /// The place in it.
    pub(super) seq: Seq,
}

impl Position {
    fn parse(text: &str) -> Option<Self> {
        if text == "0" {
            return Some(Self { epoch: None, seq: Seq::default() });
        }
        let (epoch, seq) = text.split_once('-')?;
        let named = (1..=64).contains(&epoch.len()) && epoch.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let counted = (1..=18).contains(&seq.len()) && seq.bytes().all(|byte| byte.is_ascii_digit());
        let seq = seq.parse().ok().filter(|_| named && counted)?;
        Some(Self { epoch: Some(epoch.to_owned()), seq: Seq(seq) })
    }
}

/// The id of the frame of an event.
pub(super) fn id(epoch: &str, seq: Seq) -> String {
    format!("{epoch}-{seq}")
}

/// The `after` parameter.
pub(super) fn parameter(text: &str) -> Result<Position, Problem> {
    Position::parse(text).ok_or_else(|| Problem::parameter(AFTER, RULE))
}

/// The `follow` parameter; true where it is absent.
pub(super) fn follow(text: Option<&str>) -> Result<bool, Problem> {
    match text {
        None | Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(_) => Err(Problem::parameter(FOLLOW, "must be true or false")),
    }
}

/// The `Last-Event-ID` header.
pub(super) struct LastEventId(pub(super) Option<Position>);

impl<S: Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(line) = parts.headers.get(HEADER) else { return Ok(Self(None)) };
        match line.to_str().ok().and_then(Position::parse) {
            Some(position) => Ok(Self(Some(position))),
            None => Err(Problem::header(HEADER, RULE)),
        }
    }
}

/// The parameters of the stream, as the OpenAPI document tells of them.
pub(super) struct EventParameters;

impl IntoParams for EventParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let position = || ObjectBuilder::new().schema_type(Type::String).pattern(Some(PATTERN));
        let name = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(EVENT_TYPES.iter().copied()))
            .build();
        let types = ArrayBuilder::new().items(name).min_items(Some(1));
        let follow = ObjectBuilder::new().schema_type(Type::Boolean).default(Some(json!(true)));
        vec![
            query(
                AFTER,
                "Begin after the event of this id, or with the first event (`0`). Absent: with the \
                next event.",
                position(),
            )
            .build(),
            query(TYPES, "The types of the events to send; all, unless it is given.", types)
                .style(Some(ParameterStyle::Form))
                .explode(Some(false))
                .build(),
            query(
                FOLLOW,
                "Whether to wait for new events. `false` ends the stream after the event that is \
                the newest when it begins.",
                follow,
            )
            .build(),
            openapi::header(
                HEADER,
                Required::False,
                "The id of the last event that the client has seen. It \
                counts more than `after`; browsers send it when they connect again.",
                position(),
            ),
        ]
    }
}

fn query(name: &str, about: &str, schema: impl Into<RefOr<Schema>>) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(schema))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_as_they_are_written() {
        let position = Position::parse(&id("e1", Seq(42))).unwrap();
        assert_eq!(position, Position { epoch: Some("e1".to_owned()), seq: Seq(42) });
        assert_eq!(Position::parse("0"), Some(Position { epoch: None, seq: Seq(0) }));
        for bad in ["", "42", "e1", "e1-", "-1", "e1--1", "e1-+1", "e 1-1", "e1-1234567890123456789", "e1-1 "]
        {
            assert_eq!(Position::parse(bad), None, "{bad:?} was taken for a position");
        }
    }
}
