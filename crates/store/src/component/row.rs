//! Components as their rows hold them.
//!
//! Most rows that are read leave the service again as JSON, and most of their values are the same in the JSON of
//! the row and in that of the component. So they are handed on as they are: to make a [`Component`] between the
//! two took longer than everything else that a page is made with.

use std::{borrow::Cow, fmt};

use inventory_core::{Amount, Component, ComponentId, Seq, from_micros, rfc3339};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
    ser::{Error as _, SerializeMap},
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
        self.read()
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
    members: [Member<'a>; COLUMNS.len()],
    version: u64,
}

/// A column of the row, in the form in which it is written to the JSON.
#[derive(Debug)]
enum Member<'a> {
    /// The same in both.
    Same(&'a RawValue),
    Id(Uuid),
    Amount(Option<i64>),
    Time(i64),
    Version(u64),
    /// A text that is JSON.
    Json(JsonText<'a>),
}

#[derive(Debug, Deserialize)]
struct JsonText<'a>(#[serde(borrow)] Cow<'a, str>);

impl ComponentJson<'_> {
    /// The version of the component.
    pub fn version(&self) -> u64 {
        self.version
    }
}

impl<'de> Deserialize<'de> for ComponentJson<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = ComponentJson<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} columns of a component", COLUMNS.len())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut row: A) -> Result<ComponentJson<'de>, A::Error> {
        let mut members = [const { Member::Version(0) }; COLUMNS.len()];
        let mut version = 0;
        for (column, member) in Column::ALL.into_iter().zip(&mut members) {
            let read = match column.column_type() {
                ColumnType::Text => row.next_element()?.map(Member::Same),
                ColumnType::Id => row.next_element()?.map(Member::Id),
                ColumnType::Amount => row.next_element()?.map(Member::Amount),
                ColumnType::Time => row.next_element()?.map(Member::Time),
                ColumnType::Integer => row.next_element()?.map(|read| {
                    version = read;
                    Member::Version(read)
                }),
                ColumnType::Tags | ColumnType::CustomFields => row.next_element()?.map(Member::Json),
            };
            *member = read.ok_or_else(|| de::Error::custom("the row has too few columns"))?;
        }
        Ok(ComponentJson { members, version })
    }
}

impl Serialize for ComponentJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(Some(COLUMNS.len()))?;
        for (name, member) in COLUMNS.iter().zip(&self.members) {
            members.serialize_entry(name, member)?;
        }
        members.end()
    }
}

impl Serialize for Member<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Same(value) => value.serialize(serializer),
            Self::Id(id) => id.serialize(serializer),
            Self::Amount(micros) => micros.map(Amount::from_micros).serialize(serializer),
            Self::Time(micros) => rfc3339::serialize(&from_micros(*micros), serializer),
            Self::Version(version) => version.serialize(serializer),
            Self::Json(JsonText(text)) => {
                serde_json::from_str::<&RawValue>(text).map_err(S::Error::custom)?.serialize(serializer)
            }
        }
    }
}
