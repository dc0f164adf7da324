//! What a component is.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    actor::Actor,
    clock::rfc3339,
    value::{
        Amount, Barcode, Currency, CustomFields, DatasheetUrl, Description, Manufacturer, Mpn, Name, Notes,
        Sku, Status, Tags, Unit,
    },
};

/// The identity of a component: a UUID of version 7 (RFC 9562), so that ids sort by the time of creation.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
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

/// A kind of part that the organisation stocks. Responses, events and exports all use this representation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Component {
    /// The id, which never changes and is never reused.
    pub id: ComponentId,
    /// The stock-keeping unit, unique in the organisation.
    pub sku: Option<Sku>,
    /// The name.
    pub name: Name,
    /// The description.
    pub description: Description,
    /// Free notes.
    pub notes: Notes,
    /// The manufacturer.
    pub manufacturer: Option<Manufacturer>,
    /// Manufacturer part number.
    pub mpn: Option<Mpn>,
    /// The content of the barcode or QR code.
    pub barcode: Option<Barcode>,
    /// The unit of quantities.
    pub unit: Unit,
    /// The quantity below which stock counts as low, in `unit`.
    pub min_quantity: Amount,
    /// The cost of one `unit`, in `currency`.
    pub unit_cost: Option<Amount>,
    /// The currency of `unit_cost` (ISO 4217).
    pub currency: Option<Currency>,
    /// The URL of the data sheet.
    pub datasheet_url: Option<DatasheetUrl>,
    /// Labels that group components, sorted.
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
    /// The row version behind `ETag` and `If-Match`: 1 at creation, incremented by each change.
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::NewComponent;

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
