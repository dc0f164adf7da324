//! The form of a component: which fields it has, what helps to fill them in, and what is wrong with them.

use inventory_core::{CustomFields, Field, FieldError};

use super::{
    draft::{Custom, CustomKind, Draft, error_of},
    field::{FieldView, GROUPS, InputKind, view},
};

/// A field as the form shows it.
pub(super) struct Input {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: InputKind,
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
    pub(super) groups: [Group; GROUPS.len()],
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
        let groups = GROUPS
            .map(|(title, fields)| Group { title, inputs: fields.iter().copied().map(input).collect() });
        let told = Field::ALL.into_iter().filter_map(|field| {
            let error = error_of(errors, field)?;
            let text = match view(field).input {
                InputKind::Amount => format!("{}: {AMOUNT_RULE}", label(field)),
                InputKind::CustomFields => format!("{}: {error}", label(field)),
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
    let FieldView { label, help, input: kind, .. } = view(field);
    Input {
        name: field.as_str(),
        label,
        help,
        kind,
        required: field.is_required(),
        value: draft.text(field).to_owned(),
        error: error_of(errors, field).map(|error| complaint(field, &error)),
    }
}

/// What is wrong with a field, as a sentence without its end. For an amount it is what to enter.
pub(super) fn complaint(field: Field, error: &str) -> String {
    match view(field).input {
        InputKind::Amount => AMOUNT_RULE.to_owned(),
        _ => format!("{} {error}", label(field)),
    }
}

/// What people call a field.
pub(crate) fn label(field: Field) -> &'static str {
    view(field).label
}
