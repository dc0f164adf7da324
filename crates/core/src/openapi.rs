//! Schemas of the values, made from the same declarations that check them.

use std::ops::RangeInclusive;

use utoipa::openapi::{
    ObjectBuilder, RefOr,
    schema::{ArrayBuilder, Schema, Type},
};
use utoipa::{PartialSchema, ToSchema};

use crate::value::{Amount, CustomFieldName, CustomFieldText, CustomFields, CustomFieldsPatch, Tag, Tags};

/// The schema of a text with a pattern.
pub(crate) fn text(pattern: &str, chars: RangeInclusive<usize>, example: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .min_length(Some(*chars.start()))
        .max_length(Some(*chars.end()))
        .examples([serde_json::Value::from(example)])
        .into()
}

impl PartialSchema for Amount {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(Amount::PATTERN))
            .examples([serde_json::Value::from("0.25")])
            .into()
    }
}

impl ToSchema for Amount {}

impl PartialSchema for Tags {
    fn schema() -> RefOr<Schema> {
        ArrayBuilder::new().items(Tag::schema()).max_items(Some(Tags::MAX_ITEMS)).into()
    }
}

impl ToSchema for Tags {}

impl PartialSchema for CustomFields {
    fn schema() -> RefOr<Schema> {
        custom_fields(&["string", "number", "boolean"])
    }
}

impl ToSchema for CustomFields {}

impl PartialSchema for CustomFieldsPatch {
    fn schema() -> RefOr<Schema> {
        custom_fields(&["string", "number", "boolean", "null"])
    }
}

impl ToSchema for CustomFieldsPatch {}

/// Written as JSON, since the builder has no word for `propertyNames`.
fn custom_fields(types: &[&str]) -> RefOr<Schema> {
    let schema = serde_json::json!({
        "type": "object",
        "maxProperties": CustomFields::MAX_ITEMS,
        "propertyNames": {"pattern": CustomFieldName::PATTERN, "maxLength": CustomFieldName::CHARS.end()},
        "additionalProperties": {
            "type": types,
            "pattern": CustomFieldText::PATTERN,
            "maxLength": CustomFieldText::CHARS.end(),
        },
    });
    serde_json::from_value(schema).unwrap_or_else(|_| ObjectBuilder::new().into())
}
