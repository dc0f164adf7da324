use std::fmt::Display;

use inventory_core::{Actor, Component, ComponentId, FieldValue, component_fields, from_micros, micros};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    DbBackend, Statement,
    entity::prelude::*,
};
use serde::Deserialize;

use crate::{db::insert::insert, error::ReadError};

macro_rules! declare {
    ($($(#[$attribute:meta])+ $member:ident: $Variant:ident($type:ty => $column:ty), $patch_doc:literal;)+) => {
        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Deserialize)]
        #[sea_orm(table_name = "component")]
        pub(crate) struct Model {
            #[sea_orm(primary_key, auto_increment = false)]
            pub id: Uuid,
            $(pub $member: $column,)+
            pub created_at: i64,
            pub created_by: String,
            pub updated_at: i64,
            pub updated_by: String,
            pub version: i64,
        }

        /// The columns, in the order of [`Model`]: one for each member of a component, by the same name.
        pub(crate) const COLUMNS: [&str; 6 + [$(stringify!($member)),+].len()] =
            ["id", $(stringify!($member),)+ "created_at", "created_by", "updated_at", "updated_by", "version"];

        impl Model {
            /// Its columns, in the order of [`COLUMNS`].
            fn values(self) -> [Value; COLUMNS.len()] {
                [
                    self.id.into(),
                    $(self.$member.into(),)+
                    self.created_at.into(),
                    self.created_by.into(),
                    self.updated_at.into(),
                    self.updated_by.into(),
                    self.version.into(),
                ]
            }

            /// An update of only the columns that differ, so that indexes on the others are not updated.
            pub(crate) fn changes_since(self, before: &Self) -> ActiveModel {
                fn differing<T: PartialEq + Into<Value>>(after: T, before: &T) -> sea_orm::ActiveValue<T> {
                    if after == *before { NotSet } else { Set(after) }
                }
                ActiveModel {
                    id: NotSet,
                    $($member: differing(self.$member, &before.$member),)+
                    created_at: NotSet,
                    created_by: NotSet,
                    updated_at: differing(self.updated_at, &before.updated_at),
                    updated_by: differing(self.updated_by, &before.updated_by),
                    version: differing(self.version, &before.version),
                }
            }
        }

        impl TryFrom<Model> for Component {
            type Error = ReadError;

            fn try_from(row: Model) -> Result<Self, ReadError> {
                let id = row.id;
                let corrupt = |column: &str, error: &dyn Display| {
                    ReadError::Corrupt(format!("the {column} of component {id}: {error}"))
                };
                Ok(Self {
                    id: ComponentId(id),
                    $($member: <$type>::from_column(row.$member).map_err(|error| corrupt(stringify!($member), &error))?,)+
                    created_at: from_micros(row.created_at),
                    created_by: Actor::stored(&row.created_by),
                    updated_at: from_micros(row.updated_at),
                    updated_by: Actor::stored(&row.updated_by),
                    version: u64::try_from(row.version).map_err(|error| corrupt("version", &error))?,
                })
            }
        }

        impl From<&Component> for Model {
            fn from(component: &Component) -> Self {
                Self {
                    id: component.id.0,
                    $($member: component.$member.to_column(),)+
                    created_at: micros(component.created_at),
                    created_by: component.created_by.to_string(),
                    updated_at: micros(component.updated_at),
                    updated_by: component.updated_by.to_string(),
                    version: i64::try_from(component.version).unwrap_or(i64::MAX),
                }
            }
        }
    };
}

component_fields!(declare);

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A row as one JSON text: an array of its columns. One text is read several times as fast as the values of its columns,
/// each of which the driver would copy by itself.
pub(crate) fn json_row(backend: DbBackend) -> String {
    let (array, id, text) = match backend {
        DbBackend::Sqlite => ("json_array", "lower(hex(id))", ""),
        _ => ("json_build_array", "id", "::text"),
    };
    format!("{array}({id}, {}){text}", COLUMNS[1..].join(", "))
}

/// Inserts rows, but for those whose sku another has.
pub(crate) fn insert_new(backend: DbBackend, rows: impl ExactSizeIterator<Item = Model>) -> Statement {
    let into = format!("INSERT INTO component ({})", COLUMNS.join(", "));
    insert(backend, &into, rows.map(Model::values), "ON CONFLICT (sku) DO NOTHING")
}
