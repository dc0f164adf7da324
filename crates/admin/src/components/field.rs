//! How the web admin shows each field of a component, in the form, in the list and in an import.

use inventory_core::{Field, Tags};

/// How a field is shown and filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FieldView {
    /// What people call it.
    pub(crate) label: &'static str,
    /// The heading of its column in the list, which has less room.
    pub(crate) heading: &'static str,
    /// The help text below the input.
    pub(crate) help: &'static str,
    pub(crate) input: InputKind,
    /// The class of its cells in the list.
    pub(crate) class: &'static str,
    /// Whether the list shows it to someone who has chosen no columns.
    pub(crate) by_default: bool,
    /// What other programs call its column in a file, in lower case and without anything between the words.
    pub(crate) import_names: &'static [&'static str],
}

/// How a field is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InputKind {
    Line,
    Lines,
    Tags,
    Status,
    Amount,
    Url,
    /// Rows of a name, a type and a value each.
    CustomFields,
}

/// The fields of the form, under the headings that it has. Custom fields have their own section after these.
pub(super) const GROUPS: [(&str, &[Field]); 4] = [
    ("Identity", &[Field::Name, Field::Sku, Field::Status, Field::Description]),
    ("Sourcing", &[Field::Manufacturer, Field::Mpn, Field::DatasheetUrl, Field::Barcode]),
    ("Stock and price", &[Field::Unit, Field::MinQuantity, Field::UnitCost, Field::Currency]),
    ("Tags and notes", &[Field::Tags, Field::Notes]),
];

/// The fields of the list, in their order.
pub(super) const LISTED: [Field; 14] = [
    Field::Sku,
    Field::Name,
    Field::Description,
    Field::Manufacturer,
    Field::Mpn,
    Field::Tags,
    Field::Status,
    Field::Barcode,
    Field::Unit,
    Field::MinQuantity,
    Field::UnitCost,
    Field::Currency,
    Field::DatasheetUrl,
    Field::Notes,
];

/// The fields that can be set to one value for many components at once.
pub(super) const SHARED: [Field; 6] =
    [Field::Manufacturer, Field::Unit, Field::MinQuantity, Field::UnitCost, Field::Currency, Field::Notes];

/// How a field is shown and filled in.
pub(crate) fn view(field: Field) -> FieldView {
    const _: () = assert!(Tags::MAX_ITEMS == 32, "the help for tags says so");
    let plain = |label, help| FieldView {
        label,
        heading: label,
        help,
        input: InputKind::Line,
        class: "",
        by_default: false,
        import_names: &[],
    };
    match field {
        Field::Sku => FieldView {
            class: "code",
            by_default: true,
            import_names: &["sku", "partid", "itemnumber", "itemcode", "articlenumber", "internalpartnumber"],
            ..plain("SKU", "Your part number (optional, unique).")
        },
        Field::Name => FieldView {
            class: "name",
            by_default: true,
            import_names: &["name", "title", "partname", "component", "item"],
            ..plain("Name", "Up to 200 characters.")
        },
        Field::Description => FieldView {
            input: InputKind::Lines,
            class: "long",
            by_default: true,
            import_names: &["description", "desc", "details"],
            ..plain("Description", "A short description.")
        },
        Field::Notes => FieldView {
            input: InputKind::Lines,
            class: "long",
            import_names: &["notes", "note", "comment", "comments", "remarks"],
            ..plain("Notes", "Internal notes.")
        },
        Field::Manufacturer => FieldView {
            by_default: true,
            import_names: &["manufacturer", "mfr", "mfg", "maker", "brand"],
            ..plain("Manufacturer", "Who makes it.")
        },
        Field::Mpn => FieldView {
            heading: "MPN",
            class: "code",
            by_default: true,
            import_names: &["mpn", "manufacturerpartnumber", "mfrpartnumber", "mfrpart", "partnumber"],
            ..plain("Manufacturer part number", "Exactly as the manufacturer writes it.")
        },
        Field::Barcode => FieldView {
            class: "code",
            import_names: &["barcode", "ean", "gtin", "upc"],
            ..plain("Barcode", "What a barcode scanner reads.")
        },
        Field::Unit => FieldView {
            import_names: &["unit", "uom"],
            ..plain("Unit", "The unit it is counted in. Defaults to pcs.")
        },
        Field::MinQuantity => FieldView {
            heading: "Minimum",
            input: InputKind::Amount,
            class: "amount",
            import_names: &["minquantity", "minimumquantity", "minimum", "reorderlevel", "minstock"],
            ..plain("Minimum quantity", "Stock below this is low.")
        },
        Field::UnitCost => FieldView {
            input: InputKind::Amount,
            class: "amount",
            import_names: &["unitcost", "unitprice", "price", "cost"],
            ..plain("Unit cost", "Price of one unit, such as 0.25.")
        },
        Field::Currency => plain("Currency", "Three-letter code, such as EUR."),
        Field::DatasheetUrl => FieldView {
            input: InputKind::Url,
            import_names: &["datasheeturl", "datasheet"],
            ..plain("Datasheet", "A link that starts with https:// or http://.")
        },
        Field::Tags => FieldView {
            input: InputKind::Tags,
            class: "tags",
            by_default: true,
            import_names: &["tags", "labels", "keywords"],
            ..plain("Tags", "Up to 32, separated by commas.")
        },
        Field::CustomFields => FieldView {
            input: InputKind::CustomFields,
            ..plain(
                "Custom fields",
                "Names use lowercase letters, digits and underscores. Clear a row to remove it.",
            )
        },
        Field::Status => FieldView {
            input: InputKind::Status,
            by_default: true,
            ..plain("Status", "Archived components stay in the list and keep their history.")
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_in_the_form_and_in_the_list() {
        for field in Field::ALL {
            let separate = view(field).input == InputKind::CustomFields;
            let groups = GROUPS.iter().filter(|(_, fields)| fields.contains(&field)).count();
            assert_eq!(groups, usize::from(!separate), "groups of the form with {field:?}");
            assert_eq!(LISTED.contains(&field), !separate, "{field:?} in LISTED");
        }
    }
}
