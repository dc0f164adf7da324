//! The table of the fields of a component.

/// Calls the macro `$callback` with the fields of a component that users may set, in their order: the one place
/// where they are listed. The structures of the model, of the database row and of queries are made from it.
///
/// A row is
///
/// ```text
/// /// What the field is, for the documentation of the API.
/// member: Variant(type in Component => type in a row of the database), "what it is in a merge patch";
/// ```
///
/// `member` is the name on the wire and that of the column, and `Variant` the name in [`Field`](crate::Field). The
/// type in [`Component`](crate::Component) is a [`FieldValue`](crate::FieldValue). A field added later that is not an
/// `Option` also needs `#[serde(default)]`, because older events lack it. `CONTRIBUTING.md` lists what else a
/// new field needs.
#[macro_export]
macro_rules! component_fields {
    ($callback:ident) => {
        $callback! {
            /// The stock-keeping unit, unique in the organisation.
            sku: Sku(Option<$crate::Sku> => Option<String>),
                "The stock-keeping unit, unique in the organisation.";
            /// The name.
            name: Name($crate::Name => String), "The name.";
            /// The description.
            description: Description($crate::Description => String),
                "The description; `null` clears it.";
            /// Free notes.
            notes: Notes($crate::Notes => String), "Free notes; `null` clears them.";
            /// The manufacturer.
            manufacturer: Manufacturer(Option<$crate::Manufacturer> => Option<String>),
                "The manufacturer.";
            /// Manufacturer part number.
            mpn: Mpn(Option<$crate::Mpn> => Option<String>), "Manufacturer part number.";
            /// The content of the barcode or QR code.
            barcode: Barcode(Option<$crate::Barcode> => Option<String>),
                "The content of the barcode or QR code.";
            /// The unit of quantities.
            unit: Unit($crate::Unit => String), "The unit of quantities; `null` sets `pcs`.";
            /// The quantity below which stock counts as low, in `unit`.
            min_quantity: MinQuantity($crate::Amount => i64),
                "The quantity below which stock counts as low; `null` sets zero.";
            /// The cost of one `unit`, in `currency`.
            unit_cost: UnitCost(Option<$crate::Amount> => Option<i64>), "The cost of one unit.";
            /// The currency of `unit_cost` (ISO 4217).
            currency: Currency(Option<$crate::Currency> => Option<String>),
                "The currency of `unit_cost` (ISO 4217).";
            /// The URL of the data sheet.
            datasheet_url: DatasheetUrl(Option<$crate::DatasheetUrl> => Option<String>),
                "The URL of the data sheet.";
            /// Labels that group components, sorted.
            tags: Tags($crate::Tags => String),
                "Labels that group components; `null` removes all.";
            /// The fields that the organisation added.
            custom_fields: CustomFields($crate::CustomFields => String),
                "Fields to set, or `null` to remove one; `null` for the whole object removes all.";
            /// Whether it is in use.
            status: Status($crate::Status => String), "Whether it is in use; `null` sets `active`.";
        }
    };
}
