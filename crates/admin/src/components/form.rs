//! The form of a component: which fields it has, what helps to fill them in, and what is wrong with them.

use inventory_core::{CustomFields, Field, FieldError, Notes, Tags};

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

impl Form {
    pub(super) fn new(draft: &Draft, errors: &[FieldError]) -> Self {
        let input = |field| input(field, draft, errors);
        let group =
            |title, fields: &[Field]| Group { title, inputs: fields.iter().copied().map(input).collect() };
        let groups = vec![
            group("What it is", &[Field::Name, Field::Sku, Field::Status, Field::Description]),
            group(
                "Where it comes from",
                &[Field::Manufacturer, Field::Mpn, Field::DatasheetUrl, Field::Barcode],
            ),
            group("How it is counted", &[Field::Unit, Field::MinQuantity, Field::UnitCost, Field::Currency]),
            group("Tags and notes", &[Field::Tags, Field::Notes]),
        ];
        let told = Field::ALL.into_iter().filter_map(|field| {
            error_of(errors, field).map(|error| (field.as_str(), format!("{} {error}", label(field))))
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
        error: error_of(errors, field),
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
        Field::DatasheetUrl => "Data sheet",
        Field::Tags => "Tags",
        Field::CustomFields => "Custom fields",
        Field::Status => "Status",
    }
}

fn help(field: Field) -> &'static str {
    const _: () = assert!(Tags::MAX_ITEMS == 32 && *Notes::CHARS.end() == 10_000, "the texts below say so");
    match field {
        Field::Sku => "Your own unique name for it, or nothing.",
        Field::Name => "What people call it. Up to 200 characters.",
        Field::Description => "What it is, in a sentence or a few.",
        Field::Notes => "For yourselves. Up to 10,000 characters.",
        Field::Manufacturer => "Who makes it.",
        Field::Mpn => "As the manufacturer writes it.",
        Field::Barcode => "What a scanner reads from it.",
        Field::Unit => "What it is counted in. Empty means pcs.",
        Field::MinQuantity => "Below this, stock counts as low.",
        Field::UnitCost => "Of one unit, such as 0.25.",
        Field::Currency => "Three letters, such as EUR.",
        Field::DatasheetUrl => "An address that starts with https:// or http://.",
        Field::Tags => "Separated by commas. Up to 32.",
        Field::CustomFields => {
            "Names are lower-case letters, digits and underscores. Clear a row to remove it."
        }
        Field::Status => "Archived components are kept for their history only.",
    }
}
