//! The fields that an organisation adds to its components.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr,
        schema::{Schema, SchemaType, Type},
    },
};

use super::{
    field_value::{FieldKind, FieldValue, FromJson, ValueError, expected, not_json},
    value::{CustomFieldName, CustomFieldText},
};

/// What a custom field holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CustomFieldValue {
    /// True or false.
    Boolean(bool),
    /// A JSON number, kept as it was written.
    Number(serde_json::Number),
    /// A text of at most [`CustomFieldText::CHARS`] characters.
    Text(CustomFieldText),
}

impl FromJson for CustomFieldValue {
    fn from_json(value: Value) -> Result<Self, ValueError> {
        match value {
            Value::Bool(value) => Ok(Self::Boolean(value)),
            Value::Number(value) => Ok(Self::Number(value)),
            Value::String(text) => text.try_into().map(Self::Text),
            other => Err(expected("a string, a number or a boolean", &other)),
        }
    }
}

/// The fields that an organisation adds to a component by itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<CustomFieldName, CustomFieldValue>")]
pub struct CustomFields(BTreeMap<CustomFieldName, CustomFieldValue>);

impl CustomFields {
    /// How many custom fields a component may have.
    pub const MAX_ITEMS: usize = 64;

    /// The fields, sorted by their names.
    pub fn iter(&self) -> impl Iterator<Item = (&CustomFieldName, &CustomFieldValue)> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn check_len(len: usize) -> Result<(), ValueError> {
        if len <= Self::MAX_ITEMS {
            return Ok(());
        }
        Err(ValueError(format!("would have {len} fields; at most {} are allowed", Self::MAX_ITEMS).into()))
    }

    /// Applies a merge patch (RFC 7396) to these fields.
    pub fn merge(&mut self, patch: CustomFieldsPatch) -> Result<(), ValueError> {
        for (name, value) in patch.0 {
            match value {
                Some(value) => self.0.insert(name, value),
                None => self.0.remove(&name),
            };
        }
        Self::check_len(self.0.len())
    }
}

impl TryFrom<BTreeMap<CustomFieldName, CustomFieldValue>> for CustomFields {
    type Error = ValueError;

    fn try_from(fields: BTreeMap<CustomFieldName, CustomFieldValue>) -> Result<Self, ValueError> {
        Self::check_len(fields.len())?;
        Ok(Self(fields))
    }
}

impl FieldValue for CustomFields {
    type Patch = Option<CustomFieldsPatch>;
    type PatchSchema = CustomFieldsPatch;
    type Column = String;

    const KIND: FieldKind = FieldKind::CustomFields;

    fn unset() -> Option<Self> {
        Some(Self::default())
    }

    fn patch_from_json(value: Value) -> Result<Self::Patch, ValueError> {
        if value.is_null() { Ok(None) } else { CustomFieldsPatch::from_json(value).map(Some) }
    }

    fn patched(present: Option<&Self>, patch: Self::Patch) -> Result<Self, ValueError> {
        let Some(patch) = patch else { return Ok(Self::default()) };
        let mut fields = present.cloned().unwrap_or_default();
        fields.merge(patch)?;
        Ok(fields)
    }

    fn as_text(&self) -> Option<Cow<'_, str>> {
        None
    }

    fn to_column(&self) -> String {
        // It has no map with keys other than strings, so it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn from_column(column: String) -> Result<Self, ValueError> {
        // Most components have none.
        if column == "{}" {
            return Ok(Self::default());
        }
        serde_json::from_str(&column).map(Self).map_err(|error| not_json(&error))
    }
}

/// A merge patch of custom fields: `None` removes a field.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct CustomFieldsPatch(pub BTreeMap<CustomFieldName, Option<CustomFieldValue>>);

impl FromJson for CustomFieldsPatch {
    fn from_json(value: Value) -> Result<Self, ValueError> {
        let Value::Object(members) = value else {
            return Err(expected("an object", &value));
        };
        if members.len() > CustomFields::MAX_ITEMS {
            return Err(ValueError(format!("must have at most {} members", CustomFields::MAX_ITEMS).into()));
        }
        let members = members.into_iter().map(|(name, value)| {
            let value = match value {
                Value::Null => None,
                value => Some(
                    CustomFieldValue::from_json(value)
                        .map_err(|error| ValueError(format!("member {name:?} {error}").into()))?,
                ),
            };
            let name = CustomFieldName::try_from(name.clone())
                .map_err(|error| ValueError(format!("the name {name:?} {error}").into()))?;
            Ok((name, value))
        });
        Ok(Self(members.collect::<Result<_, _>>()?))
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_not_bypassed_by_deserialising() {
        let fields: BTreeMap<_, _> = (0..=CustomFields::MAX_ITEMS).map(|n| (format!("f{n}"), n)).collect();
        let error = serde_json::from_value::<CustomFields>(serde_json::json!(fields)).unwrap_err();
        assert_eq!(error.to_string(), "would have 65 fields; at most 64 are allowed");
    }
}
