//! The OpenAPI schema of texts.

use std::ops::RangeInclusive;

use utoipa::openapi::{
    ObjectBuilder, RefOr,
    schema::{Schema, Type},
};

/// The schema of a text with a pattern.
pub(super) fn text_schema(pattern: &str, chars: RangeInclusive<usize>, example: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(pattern))
        .min_length(Some(*chars.start()))
        .max_length(Some(*chars.end()))
        .examples([serde_json::Value::from(example)])
        .into()
}
