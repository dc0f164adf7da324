//! The columns of the list: which there are, which someone has chosen, and what stands in a cell.

use std::borrow::Cow;

use inventory_core::{Component, Field, Status, Tag};
use inventory_store::Column;

use super::field::{FieldView, InputKind, LISTED, view};
use crate::format::Moment;

/// A column that the list can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListColumn {
    pub(crate) column: Column,
    /// What stands above it.
    pub(crate) label: &'static str,
    /// How its cells look.
    pub(crate) class: &'static str,
    /// What is changed in the list itself.
    pub(crate) edits: Option<Field>,
    /// Whether it is shown to someone who has chosen nothing.
    by_default: bool,
}

/// The columns of the list that are not fields: who made and last changed a component, and when.
const CHANGES: [ListColumn; 4] = [
    change(Column::CreatedAt, "Created", "time"),
    change(Column::CreatedBy, "Created by", ""),
    change(Column::UpdatedAt, "Changed", "time"),
    change(Column::UpdatedBy, "Changed by", ""),
];

const fn change(column: Column, label: &'static str, class: &'static str) -> ListColumn {
    ListColumn { column, label, class, edits: None, by_default: false }
}

/// Every column, in the order in which they are shown.
pub(crate) fn columns() -> impl Iterator<Item = ListColumn> {
    LISTED.into_iter().map(ListColumn::of).chain(CHANGES)
}

impl ListColumn {
    /// The column of a field.
    pub(crate) fn of(field: Field) -> Self {
        let FieldView { heading, class, by_default, input, .. } = view(field);
        let edits = (input != InputKind::Status).then_some(field);
        Self { column: field.into(), label: heading, class, edits, by_default }
    }
}

/// What people call a column, also one that the list does not show.
pub(crate) fn label(column: Column) -> &'static str {
    columns().find(|known| known.column == column).map_or(column.as_str(), |known| known.label)
}

/// A label within a phrase: in lower case, unless it is an abbreviation.
pub(crate) fn inline(label: &str) -> String {
    if label.chars().all(char::is_uppercase) { label.to_owned() } else { label.to_lowercase() }
}

/// The columns of these names, in the order of [`columns`]; the usual ones where none is known. The name is
/// always there, since it leads to the component.
pub(crate) fn chosen(names: &[String]) -> Vec<ListColumn> {
    let known = |column: &ListColumn| names.iter().any(|name| name == column.column.as_str());
    let any = columns().any(|column| known(&column));
    columns()
        .filter(|column| column.column == Column::Name || if any { known(column) } else { column.by_default })
        .collect()
}

/// What stands in a cell.
pub(crate) enum Cell<'a> {
    Name(&'a str),
    Text(Cow<'a, str>),
    Tags(Vec<&'a str>),
    Status(Status),
    Time(Moment),
    Link(&'a str),
}

impl ListColumn {
    /// The name of the column in addresses and preferences.
    pub(crate) fn name(&self) -> &'static str {
        self.column.as_str()
    }

    /// The cell of a component in this column.
    pub(crate) fn cell<'a>(&self, item: &'a Component) -> Cell<'a> {
        match self.column {
            Column::Name => Cell::Name(item.name.as_str()),
            Column::DatasheetUrl => Cell::Link(item.datasheet_url.as_ref().map_or("", |url| url.as_str())),
            Column::Tags => Cell::Tags(item.tags.iter().map(Tag::as_str).collect()),
            Column::Status => Cell::Status(item.status),
            Column::CreatedAt => Cell::Time(Moment(item.created_at)),
            Column::CreatedBy => Cell::Text(item.created_by.as_str().into()),
            Column::UpdatedAt => Cell::Time(Moment(item.updated_at)),
            Column::UpdatedBy => Cell::Text(item.updated_by.as_str().into()),
            column => Cell::Text(column.field().and_then(|field| item.text(field)).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(chosen: &[&str]) -> Vec<&'static str> {
        let chosen: Vec<_> = chosen.iter().map(|name| (*name).to_owned()).collect();
        super::chosen(&chosen).iter().map(ListColumn::name).collect()
    }

    #[test]
    fn the_name_is_always_among_the_columns_and_unknown_ones_are_passed_over() {
        assert_eq!(names(&["updated_by", "sku", "gone"]), ["sku", "name", "updated_by"]);
        assert_eq!(names(&["gone"]), names(&[]));
        assert_eq!(names(&[]).len(), 7);
    }
}
