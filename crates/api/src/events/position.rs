//! The parameters of the stream: the position after which it begins, which events, and how long.

use axum::{extract::FromRequestParts, http::request::Parts};
use inventory_core::{EVENT_TYPES, LogPosition, ParsePositionError};
use inventory_http::Problem;
use serde_json::json;
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, RefOr, Required,
        path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle},
        schema::{ArrayBuilder, Schema, Type},
    },
};

use crate::openapi;

/// The parameter that says after which position to begin.
pub(super) const AFTER: &str = "after";
/// The parameter that says which events to send.
pub(super) const TYPES: &str = "types";
/// The parameter that says whether to wait for new events.
pub(super) const FOLLOW: &str = "follow";
/// All parameters.
pub(super) const PARAMETERS: [&str; 3] = [AFTER, TYPES, FOLLOW];

const HEADER: &str = "Last-Event-ID";
/// The `after` parameter.
pub(super) fn parameter(text: &str) -> Result<LogPosition, Problem> {
    text.parse().map_err(|error: ParsePositionError| Problem::parameter(AFTER, error.to_string()))
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
pub(super) struct LastEventId(pub(super) Option<LogPosition>);

impl<S: Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(line) = parts.headers.get(HEADER) else { return Ok(Self(None)) };
        let position = line.to_str().map_err(|_| ParsePositionError).and_then(str::parse);
        position
            .map(|position| Self(Some(position)))
            .map_err(|error| Problem::header(HEADER, error.to_string()))
    }
}

/// The parameters of the stream in the OpenAPI document.
pub(super) struct EventParameters;

impl IntoParams for EventParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let position = || ObjectBuilder::new().schema_type(Type::String).pattern(Some(LogPosition::PATTERN));
        let name = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(EVENT_TYPES.iter().copied()))
            .build();
        let types = ArrayBuilder::new().items(name).min_items(Some(1));
        let follow = ObjectBuilder::new().schema_type(Type::Boolean).default(Some(json!(true)));
        vec![
            query(
                AFTER,
                "Start after the event with this id, or at the first event (`0`). Absent: at the next event.",
                position(),
            )
            .build(),
            query(TYPES, "The types of the events to send; by default all.", types)
                .style(Some(ParameterStyle::Form))
                .explode(Some(false))
                .build(),
            query(
                FOLLOW,
                "Whether to wait for new events. `false` ends the stream after the event that was the newest \
                 when the stream began.",
                follow,
            )
            .build(),
            openapi::header(
                HEADER,
                Required::False,
                "The id of the last event that the client received. It takes precedence over `after`; \
                 browsers send it when they reconnect.",
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
