//! What a component is.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    actor::Actor,
    clock::rfc3339,
    patch::{ComponentPatch, Invalid},
    value::{
        Amount, Barcode, Currency, CustomFields, DatasheetUrl, Description, Manufacturer, Mpn, Name, Notes,
        Sku, Status, Tags, Unit,
    },
};

/// The identity of a component: a UUID of version 7 (RFC 9562), so that ids sort by the time of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct ComponentId(pub Uuid);

impl ComponentId {
    /// A new id.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// What the events about it have as their subject.
    pub fn subject(self) -> String {
        format!("components/{self}")
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// A kind of part that the organisation keeps. This is its only shape outside the database: responses,
/// events and exports all carry it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Component {
    /// Its identity, which never changes and is never used again.
    pub id: ComponentId,
    /// The organisation's own unique name of it.
    pub sku: Option<Sku>,
    /// What it is called.
    pub name: Name,
    /// What it is.
    pub description: Description,
    /// Free notes.
    pub notes: Notes,
    /// Who makes it.
    pub manufacturer: Option<Manufacturer>,
    /// Manufacturer part number.
    pub mpn: Option<Mpn>,
    /// The content of its barcode or QR code.
    pub barcode: Option<Barcode>,
    /// The unit in which it is counted.
    pub unit: Unit,
    /// The quantity below which stock counts as low, in `unit`.
    pub min_quantity: Amount,
    /// What one `unit` costs, in `currency`.
    pub unit_cost: Option<Amount>,
    /// The currency of `unit_cost` (ISO 4217).
    pub currency: Option<Currency>,
    /// Where its data sheet is.
    pub datasheet_url: Option<DatasheetUrl>,
    /// Labels by which components are grouped, sorted.
    pub tags: Tags,
    /// The fields that the organisation added.
    pub custom_fields: CustomFields,
    /// Whether it is in use.
    pub status: Status,
    /// When it was created, to the microsecond.
    #[serde(with = "rfc3339")]
    pub created_at: OffsetDateTime,
    /// Who created it.
    pub created_by: Actor,
    /// When it was last changed, to the microsecond.
    #[serde(with = "rfc3339")]
    pub updated_at: OffsetDateTime,
    /// Who last changed it.
    pub updated_by: Actor,
    /// 1 at creation, one more with each change; the row version behind `ETag` and `If-Match`.
    pub version: u64,
}

impl Component {
    /// The names of its members, in their order.
    pub const MEMBERS: [&'static str; 21] = [
        "id",
        "sku",
        "name",
        "description",
        "notes",
        "manufacturer",
        "mpn",
        "barcode",
        "unit",
        "min_quantity",
        "unit_cost",
        "currency",
        "datasheet_url",
        "tags",
        "custom_fields",
        "status",
        "created_at",
        "created_by",
        "updated_at",
        "updated_by",
        "version",
    ];
}

/// A field of a component that users may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is documented on the field of Component that it names")]
pub enum Field {
    Sku,
    Name,
    Description,
    Notes,
    Manufacturer,
    Mpn,
    Barcode,
    Unit,
    MinQuantity,
    UnitCost,
    Currency,
    DatasheetUrl,
    Tags,
    CustomFields,
    Status,
}

impl Field {
    /// All of them, in the order of [`Component`].
    pub const ALL: [Self; 15] = [
        Self::Sku,
        Self::Name,
        Self::Description,
        Self::Notes,
        Self::Manufacturer,
        Self::Mpn,
        Self::Barcode,
        Self::Unit,
        Self::MinQuantity,
        Self::UnitCost,
        Self::Currency,
        Self::DatasheetUrl,
        Self::Tags,
        Self::CustomFields,
        Self::Status,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sku => "sku",
            Self::Name => "name",
            Self::Description => "description",
            Self::Notes => "notes",
            Self::Manufacturer => "manufacturer",
            Self::Mpn => "mpn",
            Self::Barcode => "barcode",
            Self::Unit => "unit",
            Self::MinQuantity => "min_quantity",
            Self::UnitCost => "unit_cost",
            Self::Currency => "currency",
            Self::DatasheetUrl => "datasheet_url",
            Self::Tags => "tags",
            Self::CustomFields => "custom_fields",
            Self::Status => "status",
        }
    }
}

impl Component {
    /// This component in its next version, with the names of the fields that differ; `None` where the
    /// patch changes nothing, which then is no new version.
    pub fn patched(
        &self,
        patch: ComponentPatch,
        at: OffsetDateTime,
        by: Actor,
    ) -> Result<Option<(Self, Vec<Field>)>, Invalid> {
        let mut after = self.clone();
        let changed = patch.apply(&mut after)?;
        if changed.is_empty() {
            return Ok(None);
        }
        after.updated_at = at;
        after.updated_by = by;
        after.version += 1;
        Ok(Some((after, changed)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::patch::NewComponent;

    #[test]
    fn the_wire_form_of_a_component_is_locked() {
        let new = NewComponent::from_json(json!({
            "name": "74HC00", "sku": "74xx/74HC00", "unit_cost": "0.250", "currency": "EUR",
            "custom_fields": {"pins": 14, "rohs": true}, "tags": ["logic", "cmos"],
        }));
        let at = OffsetDateTime::UNIX_EPOCH;
        let component = new.unwrap().create(ComponentId(Uuid::nil()), at, Actor::cli()).unwrap();
        insta::assert_json_snapshot!(component);
    }
}
