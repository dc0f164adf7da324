//! The form of a component: which fields it has, what helps to fill them in, and what is wrong with them.

use inventory_core::{CustomFields, Field, FieldError, Tags};

use super::draft::{Custom, CustomKind, Draft, error_of};

/// How a field is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Line,
    Lines,
    Status,
    Amount,
    Url,
}

/// A field as the form shows it.
pub(super) struct Input {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    pub(super) value: String,
    pub(super) error: Option<String>,
}

/// Fields that belong together.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) inputs: Vec<Input>,
}

/// The form with what is typed into it.
pub(super) struct Form {
    pub(super) groups: Vec<Group>,
    pub(super) customs: Vec<Custom>,
    pub(super) customs_error: Option<String>,
    /// What is wrong, each with the id of its field.
    pub(super) errors: Vec<(&'static str, String)>,
}

/// How many empty rows for custom fields a form has: without a script they are all there are.
const EMPTY_CUSTOMS: usize = 2;
/// What an amount may be, as forms tell it.
pub(super) const AMOUNT_RULE: &str =
    "Enter a number of at least 0, with at most 12 digits before the point and 6 after it, such as 0.25";

impl Form {
    pub(super) fn new(draft: &Draft, errors: &[FieldError]) -> Self {
        let input = |field| input(field, draft, errors);
        let group =
            |title, fields: &[Field]| Group { title, inputs: fields.iter().copied().map(input).collect() };
        let groups = vec![
            group("Identity", &[Field::Name, Field::Sku, Field::Status, Field::Description]),
            group("Sourcing", &[Field::Manufacturer, Field::Mpn, Field::DatasheetUrl, Field::Barcode]),
            group("Stock and price", &[Field::Unit, Field::MinQuantity, Field::UnitCost, Field::Currency]),
            group("Tags and notes", &[Field::Tags, Field::Notes]),
        ];
        let told = Field::ALL.into_iter().filter_map(|field| {
            let error = error_of(errors, field)?;
            let text = match field {
                Field::MinQuantity | Field::UnitCost => format!("{}: {AMOUNT_RULE}", label(field)),
                Field::CustomFields => format!("{}: {error}", label(field)),
                _ => complaint(field, &error),
            };
            Some((field.as_str(), text))
        });
        let mut customs = draft.customs.clone();
        let empty = Custom { name: String::new(), kind: CustomKind::Text, value: String::new() };
        let room = CustomFields::MAX_ITEMS.saturating_sub(customs.len()).min(EMPTY_CUSTOMS);
        customs.extend(std::iter::repeat_n(empty, room));
        Self { groups, customs, customs_error: error_of(errors, Field::CustomFields), errors: told.collect() }
    }
}

fn input(field: Field, draft: &Draft, errors: &[FieldError]) -> Input {
    let kind = match field {
        Field::Description | Field::Notes => Kind::Lines,
        Field::Status => Kind::Status,
        Field::MinQuantity | Field::UnitCost => Kind::Amount,
        Field::DatasheetUrl => Kind::Url,
        _ => Kind::Line,
    };
    Input {
        name: field.as_str(),
        label: label(field),
        help: help(field),
        kind,
        required: field == Field::Name,
        value: draft.text(field).to_owned(),
        error: error_of(errors, field).map(|error| complaint(field, &error)),
    }
}

/// What is wrong with a field, as a sentence without its end. For an amount it is what to enter.
pub(super) fn complaint(field: Field, error: &str) -> String {
    match field {
        Field::MinQuantity | Field::UnitCost => AMOUNT_RULE.to_owned(),
        _ => format!("{} {error}", label(field)),
    }
}

/// What people call a field.
pub(crate) fn label(field: Field) -> &'static str {
    match field {
        Field::Sku => "SKU",
        Field::Name => "Name",
        Field::Description => "Description",
        Field::Notes => "Notes",
        Field::Manufacturer => "Manufacturer",
        Field::Mpn => "Manufacturer part number",
        Field::Barcode => "Barcode",
        Field::Unit => "Unit",
        Field::MinQuantity => "Minimum quantity",
        Field::UnitCost => "Unit cost",
        Field::Currency => "Currency",
        Field::DatasheetUrl => "Datasheet",
        Field::Tags => "Tags",
        Field::CustomFields => "Custom fields",
        Field::Status => "Status",
    }
}

fn help(field: Field) -> &'static str {
    const _: () = assert!(Tags::MAX_ITEMS == 32, "the texts below say so");
    match field {
        Field::Sku => "Your part number (optional, unique).",
        Field::Name => "Up to 200 characters.",
        Field::Description => "A short description.",
        Field::Notes => "Internal notes.",
        Field::Manufacturer => "Who makes it.",
        Field::Mpn => "Exactly as the manufacturer writes it.",
        Field::Barcode => "What a barcode scanner reads.",
        Field::Unit => "The unit it is counted in. Defaults to pcs.",
        Field::MinQuantity => "Stock below this is low.",
        Field::UnitCost => "Price of one unit, such as 0.25.",
        Field::Currency => "Three-letter code, such as EUR.",
        Field::DatasheetUrl => "A link that starts with https:// or http://.",
        Field::Tags => "Up to 32, separated by commas.",
        Field::CustomFields => {
            "Names use lowercase letters, digits and underscores. Clear a row to remove it."
        }
        Field::Status => "Archived components stay in the list and keep their history.",
    }
}
