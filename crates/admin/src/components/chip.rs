//! What a list is narrowed by, each with the address of the list without it.

use inventory_store::{Column, ColumnType, Operator};

use super::{
    column,
    date_range::Span,
    list_query::{Condition, ListQuery},
};

/// Something that a list is narrowed by.
pub(crate) struct Chip {
    pub(crate) words: String,
    /// The list without it.
    pub(crate) without: String,
}

/// The chips of a list, in the order in which its conditions were asked for.
pub(super) fn chips(asked: &ListQuery) -> Vec<Chip> {
    let mut chips = Vec::new();
    for condition in &asked.conditions {
        let (gte, lte) = bounds(condition.column);
        chips.extend(match Span::of(asked, condition.column) {
            // Two conditions say it, and it is one thing.
            Some(_) if condition.operator == Operator::AtMost => None,
            Some(span) if condition.operator == Operator::AtLeast => Some(Chip {
                words: format!("{} {span}", column::label(condition.column)),
                without: asked.link(&[(gte.as_str(), ""), (lte.as_str(), "")]),
            }),
            _ => Some(Chip { words: words(condition), without: asked.without(condition) }),
        });
    }
    chips
}

/// The parameters between which a column is.
pub(super) fn bounds(column: Column) -> (String, String) {
    let parameter = |operator: Operator| format!("{}{}", column.as_str(), operator.suffix());
    (parameter(Operator::AtLeast), parameter(Operator::AtMost))
}

/// A condition in words.
fn words(Condition { column, operator, value, .. }: &Condition) -> String {
    let label = column::label(*column);
    match (operator, column.column_type()) {
        (Operator::Equal, ColumnType::Tags) => format!("Tag: {value}"),
        (Operator::Equal, _) => format!("{label}: {value}"),
        (Operator::In, _) => format!("{label}: any of {value}"),
        (Operator::AtLeast, ColumnType::Time) => format!("{label} since {value}"),
        (Operator::AtMost, ColumnType::Time) => format!("{label} until {value}"),
        (Operator::AtLeast, _) => format!("{label}: at least {value}"),
        (Operator::AtMost, _) => format!("{label}: at most {value}"),
        (Operator::Contains, _) => format!("{label} contains {value}"),
        (Operator::IsNull, _) if value == "true" => format!("No {}", column::inline(label)),
        (Operator::IsNull, _) => format!("Has {}", column::inline(label)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form_data::FormData;

    #[test]
    fn a_day_is_one_chip_and_goes_as_one() {
        let pairs = [
            ("status", "active"),
            ("created_at__gte", "2024-03-05"),
            ("created_at__lte", "2024-03-05"),
            ("updated_at__gte", "2024-01-01"),
            ("sku__isnull", "true"),
        ];
        let fields = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let chips = chips(&ListQuery::read(&FormData(fields.to_vec())));
        let words: Vec<_> = chips.iter().map(|chip| chip.words.as_str()).collect();
        assert_eq!(
            words,
            ["Status: active", "Created on 5 March 2024", "Changed since 2024-01-01", "No SKU"]
        );
        assert_eq!(
            chips[1].without,
            "/admin/components?status=active&updated_at__gte=2024-01-01&sku__isnull=true"
        );
    }
}
