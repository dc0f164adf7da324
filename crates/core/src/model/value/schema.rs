//! Schemas of the values, made from the same declarations that check them.

use utoipa::openapi::{
    ObjectBuilder, RefOr,
    schema::{ArrayBuilder, Schema, SchemaType, Type},
};
use utoipa::{PartialSchema, ToSchema};

use super::{Amount, CustomFieldName, CustomFieldText, CustomFields, CustomFieldsPatch, Tag, Tags};

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
        custom_fields([Type::String, Type::Number, Type::Boolean])
    }
}

impl ToSchema for CustomFields {}

impl PartialSchema for CustomFieldsPatch {
    fn schema() -> RefOr<Schema> {
        custom_fields([Type::String, Type::Number, Type::Boolean, Type::Null])
    }
}

impl ToSchema for CustomFieldsPatch {}

fn custom_fields(types: impl IntoIterator<Item = Type>) -> RefOr<Schema> {
    let name = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(CustomFieldName::PATTERN))
        .max_length(Some(*CustomFieldName::CHARS.end()));
    // The pattern and the length are about texts; to values of other types they say nothing.
    let value = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter(types))
        .pattern(Some(CustomFieldText::PATTERN))
        .max_length(Some(*CustomFieldText::CHARS.end()));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .max_properties(Some(CustomFields::MAX_ITEMS))
        .property_names(Some(name))
        .additional_properties(Some(Schema::from(value)))
        .into()
}
