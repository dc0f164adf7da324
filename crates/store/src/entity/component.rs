use inventory_core::{
    Actor, Amount, Component, ComponentId, CustomFields, Status, Tag, Tags, from_micros, micros,
};
use sea_orm::{DbBackend, Statement, entity::prelude::*};
use serde::Deserialize;

use crate::{db::insert::insert, error::ReadError};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Deserialize)]
#[sea_orm(table_name = "component")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub sku: Option<String>,
    pub name: String,
    pub description: String,
    pub notes: String,
    pub manufacturer: Option<String>,
    pub mpn: Option<String>,
    pub barcode: Option<String>,
    pub unit: String,
    pub min_quantity: i64,
    pub unit_cost: Option<i64>,
    pub currency: Option<String>,
    pub datasheet_url: Option<String>,
    pub tags: String,
    pub custom_fields: String,
    pub status: String,
    pub created_at: i64,
    pub created_by: String,
    pub updated_at: i64,
    pub updated_by: String,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The columns, in the order of [`Model`]: one for each member of a component, by the same name.
pub(crate) const COLUMNS: [&str; 21] = Component::MEMBERS;

/// A row as one JSON text: an array of its columns. One text is read several times as fast as twenty-one values,
/// each of which the driver would copy by itself.
pub(crate) fn json_row(backend: DbBackend) -> String {
    let (array, id, text) = match backend {
        DbBackend::Sqlite => ("json_array", "lower(hex(id))", ""),
        _ => ("json_build_array", "id", "::text"),
    };
    format!("{array}({id}, {}){text}", COLUMNS[1..].join(", "))
}

impl Model {
    /// Its columns, in the order of [`insert_new`].
    fn values(self) -> [Value; 21] {
        let Self {
            id,
            sku,
            name,
            description,
            notes,
            manufacturer,
            mpn,
            barcode,
            unit,
            min_quantity,
            unit_cost,
            currency,
            datasheet_url,
            tags,
            custom_fields,
            status,
            created_at,
            created_by,
            updated_at,
            updated_by,
            version,
        } = self;
        [
            id.into(),
            sku.into(),
            name.into(),
            description.into(),
            notes.into(),
            manufacturer.into(),
            mpn.into(),
            barcode.into(),
            unit.into(),
            min_quantity.into(),
            unit_cost.into(),
            currency.into(),
            datasheet_url.into(),
            tags.into(),
            custom_fields.into(),
            status.into(),
            created_at.into(),
            created_by.into(),
            updated_at.into(),
            updated_by.into(),
            version.into(),
        ]
    }
}

/// Inserts rows, but for those whose sku another has.
pub(crate) fn insert_new(backend: DbBackend, rows: impl ExactSizeIterator<Item = Model>) -> Statement {
    let into = format!("INSERT INTO component ({})", COLUMNS.join(", "));
    insert(backend, &into, rows.map(Model::values), "ON CONFLICT (sku) DO NOTHING")
}

impl TryFrom<Model> for Component {
    type Error = ReadError;

    fn try_from(row: Model) -> Result<Self, ReadError> {
        use inventory_core as core;
        let Model {
            id,
            sku,
            name,
            description,
            notes,
            manufacturer,
            mpn,
            barcode,
            unit,
            min_quantity,
            unit_cost,
            currency,
            datasheet_url,
            tags,
            custom_fields,
            status,
            created_at,
            created_by,
            updated_at,
            updated_by,
            version,
        } = row;
        let corrupt = |column: &str| ReadError::Corrupt(format!("the {column} of component {id}"));
        Ok(Self {
            id: ComponentId(id),
            sku: sku.map(core::Sku::stored),
            name: core::Name::stored(name),
            description: core::Description::stored(description),
            notes: core::Notes::stored(notes),
            manufacturer: manufacturer.map(core::Manufacturer::stored),
            mpn: mpn.map(core::Mpn::stored),
            barcode: barcode.map(core::Barcode::stored),
            unit: core::Unit::stored(unit),
            min_quantity: Amount::from_micros(min_quantity),
            unit_cost: unit_cost.map(Amount::from_micros),
            currency: currency.map(core::Currency::stored),
            datasheet_url: datasheet_url.map(core::DatasheetUrl::stored),
            tags: parse_tags(&tags).ok_or_else(|| corrupt("tags"))?,
            custom_fields: parse_custom_fields(&custom_fields).ok_or_else(|| corrupt("custom_fields"))?,
            status: status.parse::<Status>().map_err(|_| corrupt("status"))?,
            created_at: from_micros(created_at),
            created_by: Actor::stored(&created_by),
            updated_at: from_micros(updated_at),
            updated_by: Actor::stored(&updated_by),
            version: u64::try_from(version).map_err(|_| corrupt("version"))?,
        })
    }
}

/// Most components have no tags and no custom fields, so the empty ones are not parsed.
fn parse_tags(text: &str) -> Option<Tags> {
    if text == "[]" {
        return Some(Tags::default());
    }
    let tags: Vec<String> = serde_json::from_str(text).ok()?;
    Some(Tags(tags.into_iter().map(Tag::stored).collect()))
}

fn parse_custom_fields(text: &str) -> Option<CustomFields> {
    if text == "{}" { Some(CustomFields::default()) } else { serde_json::from_str(text).ok() }
}

impl From<&Component> for Model {
    fn from(component: &Component) -> Self {
        let Component {
            id,
            sku,
            name,
            description,
            notes,
            manufacturer,
            mpn,
            barcode,
            unit,
            min_quantity,
            unit_cost,
            currency,
            datasheet_url,
            tags,
            custom_fields,
            status,
            created_at,
            created_by,
            updated_at,
            updated_by,
            version,
        } = component;
        Self {
            id: id.0,
            sku: sku.as_ref().map(ToString::to_string),
            name: name.to_string(),
            description: description.to_string(),
            notes: notes.to_string(),
            manufacturer: manufacturer.as_ref().map(ToString::to_string),
            mpn: mpn.as_ref().map(ToString::to_string),
            barcode: barcode.as_ref().map(ToString::to_string),
            unit: unit.to_string(),
            min_quantity: min_quantity.micros(),
            unit_cost: unit_cost.map(Amount::micros),
            currency: currency.as_ref().map(ToString::to_string),
            datasheet_url: datasheet_url.as_ref().map(ToString::to_string),
            // Neither has a map with keys other than strings, so neither can fail.
            tags: serde_json::to_string(tags).unwrap_or_default(),
            custom_fields: serde_json::to_string(custom_fields).unwrap_or_default(),
            status: status.as_str().to_owned(),
            created_at: micros(*created_at),
            created_by: created_by.to_string(),
            updated_at: micros(*updated_at),
            updated_by: updated_by.to_string(),
            version: i64::try_from(*version).unwrap_or(i64::MAX),
        }
    }
}
