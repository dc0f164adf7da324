//! The tags of a component.

use std::{borrow::Cow, collections::BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ArrayBuilder, Schema},
    },
};

use super::{
    field_value::{FieldKind, FieldValue, FromJson, ValueError, expected, not_json, replaced_by_patch},
    value::Tag,
};

/// A component's tags: a sorted set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "BTreeSet<Tag>")]
pub struct Tags(BTreeSet<Tag>);

impl Tags {
    /// How many tags a component may have.
    pub const MAX_ITEMS: usize = 32;

    /// The tags, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &Tag> {
        self.0.iter()
    }

    fn check_len(len: usize) -> Result<(), ValueError> {
        if len <= Self::MAX_ITEMS {
            return Ok(());
        }
        Err(ValueError(format!("must have at most {} items, and this has {len}", Self::MAX_ITEMS).into()))
    }
}

impl TryFrom<BTreeSet<Tag>> for Tags {
    type Error = ValueError;

    fn try_from(tags: BTreeSet<Tag>) -> Result<Self, ValueError> {
        Self::check_len(tags.len())?;
        Ok(Self(tags))
    }
}

impl FieldValue for Tags {
    type Column = String;

    replaced_by_patch! { kind: FieldKind::Tags, unset: Some(Self::default()) }

    fn as_text(&self) -> Option<Cow<'_, str>> {
        None
    }

    fn to_column(&self) -> String {
        // A list of strings always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn from_column(column: String) -> Result<Self, ValueError> {
        // Most components have none.
        if column == "[]" {
            return Ok(Self::default());
        }
        let tags: Vec<String> = serde_json::from_str(&column).map_err(|error| not_json(&error))?;
        Ok(Self(tags.into_iter().map(Tag::stored).collect()))
    }
}

impl FromJson for Tags {
    fn from_json(value: Value) -> Result<Self, ValueError> {
        let Value::Array(items) = value else {
            return Err(expected("an array of strings", &value));
        };
        Self::check_len(items.len())?;
        let tags = items.into_iter().enumerate().map(|(index, item)| {
            Tag::from_json(item).map_err(|error| ValueError(format!("item {index} {error}").into()))
        });
        Ok(Self(tags.collect::<Result<_, _>>()?))
    }
}

impl PartialSchema for Tags {
    fn schema() -> RefOr<Schema> {
        ArrayBuilder::new().items(Tag::schema()).max_items(Some(Tags::MAX_ITEMS)).into()
    }
}

impl ToSchema for Tags {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_not_bypassed_by_deserialising() {
        let tags: Vec<_> = (0..=Tags::MAX_ITEMS).map(|n| format!("t{n}")).collect();
        let read = |items: &[String]| serde_json::from_value::<Tags>(serde_json::json!(items));
        assert!(read(&tags[1..]).is_ok());
        assert_eq!(read(&tags).unwrap_err().to_string(), "must have at most 32 items, and this has 33");
    }
}
