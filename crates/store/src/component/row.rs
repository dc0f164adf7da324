//! Components as their rows hold them.
//!
//! Most rows that are read leave the service again as JSON, and most of their values are the same in the JSON of
//! the row and in that of the component. So they are handed on as they are: to make a [`Component`] between the
//! two took longer than everything else that a page is made with.

use std::borrow::Cow;

use inventory_core::{Amount, Component, ComponentId, Seq, from_micros, rfc3339};
use serde::{Deserialize, Serialize, Serializer, ser::Error as _};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    component::query::{Column, ColumnType, Key, PageCursor},
    entity::component::{COLUMNS, Model},
    error::ReadError,
};

/// A component as its row holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredComponent {
    /// What was selected as [`json_row`](crate::entity::component::json_row).
    row: Box<str>,
}

impl StoredComponent {
    pub(crate) fn new(row: impl Into<Box<str>>) -> Self {
        Self { row: row.into() }
    }

    /// The component.
    pub fn component(&self) -> Result<Component, ReadError> {
        self.read::<Model>()?.try_into()
    }

    /// The JSON of the component.
    pub fn json(&self) -> Result<ComponentJson<'_>, ReadError> {
        self.read()
    }

    /// Where it is in a list that is sorted by this column, in a walk that began after this event.
    pub(crate) fn place(&self, column: Column, since: Seq) -> Result<PageCursor, ReadError> {
        let values: Vec<&RawValue> = self.read()?;
        let value = |name: &str| {
            let place = COLUMNS.iter().position(|column| *column == name);
            place.and_then(|place| values.get(place)).map_or("null", |value| value.get())
        };
        let id = ComponentId(read::<Uuid>(value(Column::Id.as_str()))?);
        let key = match column.column_type() {
            ColumnType::Id => Key::Text(String::new()),
            ColumnType::Amount | ColumnType::Time | ColumnType::Integer => {
                Key::Integer(read::<Option<i64>>(value(column.as_str()))?.unwrap_or(-1))
            }
            ColumnType::Text | ColumnType::Tags => {
                Key::Text(read::<Option<String>>(value(column.as_str()))?.unwrap_or_default())
            }
        };
        Ok(PageCursor { key, id, since })
    }

    fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ReadError> {
        read(&self.row)
    }
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, ReadError> {
    serde_json::from_str(text).map_err(|error| ReadError::Corrupt(error.to_string()))
}

/// The JSON of a [`Component`], byte for byte as the component itself is written, out of the JSON of its row.
#[derive(Debug, Serialize, Deserialize)]
pub struct ComponentJson<'a> {
    id: Uuid,
    #[serde(borrow)]
    sku: &'a RawValue,
    name: &'a RawValue,
    description: &'a RawValue,
    notes: &'a RawValue,
    manufacturer: &'a RawValue,
    mpn: &'a RawValue,
    barcode: &'a RawValue,
    unit: &'a RawValue,
    #[serde(serialize_with = "amount")]
    min_quantity: i64,
    #[serde(serialize_with = "optional_amount")]
    unit_cost: Option<i64>,
    currency: &'a RawValue,
    datasheet_url: &'a RawValue,
    #[serde(borrow, serialize_with = "json")]
    tags: Cow<'a, str>,
    #[serde(borrow, serialize_with = "json")]
    custom_fields: Cow<'a, str>,
    status: &'a RawValue,
    #[serde(serialize_with = "time")]
    created_at: i64,
    created_by: &'a RawValue,
    #[serde(serialize_with = "time")]
    updated_at: i64,
    updated_by: &'a RawValue,
    version: u64,
}

impl ComponentJson<'_> {
    /// The version of the component.
    pub fn version(&self) -> u64 {
        self.version
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn amount<S: Serializer>(micros: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    Amount::from_micros(*micros).serialize(serializer)
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn optional_amount<S: Serializer>(micros: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    micros.map(Amount::from_micros).serialize(serializer)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
fn time<S: Serializer>(micros: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    rfc3339::serialize(&from_micros(*micros), serializer)
}

/// Writes a text that is JSON as what it means.
fn json<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serde_json::from_str::<&RawValue>(text).map_err(S::Error::custom)?.serialize(serializer)
}
