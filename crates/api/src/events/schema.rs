//! The frames of the stream in the OpenAPI document.

use inventory_core::EVENT_TYPES;
use serde_json::{Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, Ref, RefOr,
        schema::{AnyOfBuilder, KnownFormat, Schema, SchemaFormat, Type},
    },
};

/// The name of the event that says that the position is not one of this log.
pub(super) const RESET: &str = "reset";
/// What it says.
pub(super) const RESET_REASON: &str = "the position is not one of this log";

/// One event of the stream.
pub(super) struct Frame;

impl PartialSchema for Frame {
    fn schema() -> RefOr<Schema> {
        let content = AnyOfBuilder::new()
            .item(Ref::from_schema_name("CloudEvent"))
            .item(Ref::from_schema_name("Reset"));
        let data = text("JSON on one line.")
            .content_media_type("application/json")
            .content_schema(Some(Schema::from(content)));
        let types: Vec<Value> = EVENT_TYPES.iter().copied().chain([RESET]).map(Value::from).collect();
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("One event."))
            .property(
                "id",
                text("The position to continue after: `EPOCH-SEQ-XXXXXXXX`, with the end of the event's id."),
            )
            .property("event", text("The type of the event, or `reset`.").examples(types))
            .property("data", data)
            .required("id")
            .required("event")
            .required("data")
            .into()
    }
}

impl ToSchema for Frame {
    fn name() -> std::borrow::Cow<'static, str> {
        "EventFrame".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("CloudEvent".to_owned(), cloud_event()));
        schemas.push(("Reset".to_owned(), reset()));
    }
}

fn cloud_event() -> RefOr<Schema> {
    let types = EVENT_TYPES.iter().map(|name| Value::from(format!("io.inventory.{name}")));
    let data = ObjectBuilder::new().schema_type(Type::Object).description(Some(
        "What happened: `component` for `component.created` and `component.deleted`; `before`, `after` and \
         the names of the fields that `changed` for `component.updated`; `token` for the events of tokens; `user`, or `before`, `after` and `changed`, for those of users.",
    ));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("An event in the JSON format of CloudEvents 1.0."))
        .property("specversion", text("The version of CloudEvents.").enum_values(Some(["1.0"])))
        .property("id", formatted("The identity of the event, the same in every replay.", KnownFormat::Uuid))
        .property("source", text("The log that holds it: `/inventory/EPOCH`."))
        .property("type", text("The type of the event. More types may be added.").examples(types))
        .property("subject", text("The resource that the event is about, as a path under `/api/v1`."))
        .property("time", formatted("When it happened.", KnownFormat::DateTime))
        .property(
            "datacontenttype",
            text("The media type of `data`.").enum_values(Some(["application/json"])),
        )
        .property(
            "sequence",
            text("Its position in the log, padded so that it sorts as text.").pattern(Some("^[0-9]{20}$")),
        )
        .property("actor", text("Who made the change, and how: `token:NAME` is a request to the API, `user:NAME` someone in the web admin, `import:NAME` a file that this user uploaded there, `import` a file at the command line, `cli` the command line, `system` the service."))
        .property("traceparent", text("The trace of the request that made the change (W3C Trace Context)."))
        .property("data", data)
        .required("specversion")
        .required("id")
        .required("source")
        .required("type")
        .required("subject")
        .required("time")
        .required("datacontenttype")
        .required("sequence")
        .required("actor")
        .required("data")
        .into()
}

fn reset() -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("The position that the client sent does not belong to this log."))
        .property("reason", text("Why."))
        .required("reason")
        .examples([json!({"reason": RESET_REASON})])
        .into()
}

fn text(about: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(about))
}

fn formatted(about: &str, format: KnownFormat) -> ObjectBuilder {
    text(about).format(Some(SchemaFormat::KnownFormat(format)))
}
