//! Components as their rows hold them.
//!
//! Most rows that are read leave the service again as JSON, and most of their values are the same in the JSON of
//! the row and in that of the component. So they are handed on as they are: to make a [`Component`] between the
//! two took longer than everything else that a page is made with.

use std::borrow::Cow;

use inventory_core::{Amount, Component, ComponentId, Seq, from_micros, rfc3339};
use serde::{
    Deserialize, Serialize, Serializer,
    ser::{Error, SerializeMap},
};
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
        ComponentJson::read(&self.row)
    }

    /// Where it is in a list that is sorted by this column, in a walk that began after this event.
    pub(crate) fn place(&self, column: Column, since: Seq) -> Result<PageCursor, ReadError> {
        let values: Vec<&RawValue> = self.read()?;
        let value = |column: Column| values.get(column as usize).map_or("null", |value| value.get());
        let id = ComponentId(read::<Uuid>(value(Column::Id))?);
        let key = match column.column_type() {
            ColumnType::Id => Key::Text(String::new()),
            ColumnType::Amount | ColumnType::Time | ColumnType::Integer => {
                Key::Integer(read::<Option<i64>>(value(column))?.unwrap_or(-1))
            }
            ColumnType::Text | ColumnType::Tags | ColumnType::CustomFields => {
                Key::Text(read::<Option<String>>(value(column))?.unwrap_or_default())
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
#[derive(Debug)]
pub struct ComponentJson<'a> {
    values: [&'a RawValue; COLUMNS.len()],
    version: u64,
}

impl<'a> ComponentJson<'a> {
    fn read(row: &'a str) -> Result<Self, ReadError> {
        let values: [&RawValue; COLUMNS.len()] = read(row)?;
        let version = read(values[Column::Version as usize].get())?;
        Ok(Self { values, version })
    }

    /// The version of the component.
    pub fn version(&self) -> u64 {
        self.version
    }
}

impl Serialize for ComponentJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(Some(COLUMNS.len()))?;
        for (column, value) in Column::ALL.into_iter().zip(self.values) {
            members.serialize_entry(column.as_str(), &Member { column, value })?;
        }
        members.end()
    }
}

/// The value of a column, which is written as the member of the component.
struct Member<'a> {
    column: Column,
    value: &'a RawValue,
}

impl<'a> Member<'a> {
    fn read<T: Deserialize<'a>, E: Error>(&self) -> Result<T, E> {
        serde_json::from_str(self.value.get()).map_err(E::custom)
    }
}

impl Serialize for Member<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.column.column_type() {
            ColumnType::Text | ColumnType::Integer => self.value.serialize(serializer),
            ColumnType::Id => self.read::<Uuid, S::Error>()?.serialize(serializer),
            ColumnType::Amount => {
                self.read::<Option<i64>, S::Error>()?.map(Amount::from_micros).serialize(serializer)
            }
            ColumnType::Time => rfc3339::serialize(&from_micros(self.read::<i64, S::Error>()?), serializer),
            // A text that is JSON.
            ColumnType::Tags | ColumnType::CustomFields => {
                let text: Cow<'_, str> = self.read::<_, S::Error>()?;
                serde_json::from_str::<&RawValue>(&text).map_err(S::Error::custom)?.serialize(serializer)
            }
        }
    }
}
