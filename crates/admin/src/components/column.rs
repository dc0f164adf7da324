//! The columns of the list: which there are, which someone has chosen, and what stands in a cell.

use inventory_core::{Component, Field, Status, Tag};
use inventory_store::Column;

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

/// Every column, in the order in which they are shown.
pub(crate) const COLUMNS: [ListColumn; 18] = [
    column(Column::Sku, "SKU", "code", Some(Field::Sku), true),
    column(Column::Name, "Name", "name", Some(Field::Name), true),
    column(Column::Description, "Description", "long", Some(Field::Description), true),
    column(Column::Manufacturer, "Manufacturer", "", Some(Field::Manufacturer), true),
    column(Column::Mpn, "MPN", "code", Some(Field::Mpn), true),
    column(Column::Tags, "Tags", "tags", Some(Field::Tags), true),
    column(Column::Status, "Status", "", None, true),
    column(Column::Barcode, "Barcode", "code", Some(Field::Barcode), false),
    column(Column::Unit, "Unit", "", Some(Field::Unit), false),
    column(Column::MinQuantity, "Minimum", "amount", Some(Field::MinQuantity), false),
    column(Column::UnitCost, "Unit cost", "amount", Some(Field::UnitCost), false),
    column(Column::Currency, "Currency", "", Some(Field::Currency), false),
    column(Column::DatasheetUrl, "Datasheet", "", Some(Field::DatasheetUrl), false),
    column(Column::Notes, "Notes", "long", Some(Field::Notes), false),
    column(Column::CreatedAt, "Created", "time", None, false),
    column(Column::CreatedBy, "Created by", "", None, false),
    column(Column::UpdatedAt, "Changed", "time", None, false),
    column(Column::UpdatedBy, "Changed by", "", None, false),
];

const fn column(
    column: Column,
    label: &'static str,
    class: &'static str,
    edits: Option<Field>,
    by_default: bool,
) -> ListColumn {
    ListColumn { column, label, class, edits, by_default }
}

/// What people call a column, also one that the list does not show.
pub(crate) fn label(column: Column) -> &'static str {
    COLUMNS.iter().find(|known| known.column == column).map_or(column.as_str(), |known| known.label)
}

/// A label within a phrase: in lower case, unless it is an abbreviation.
pub(crate) fn inline(label: &str) -> String {
    if label.chars().all(char::is_uppercase) { label.to_owned() } else { label.to_lowercase() }
}

/// The columns of these names, in the order of [`COLUMNS`]; the usual ones where none is known. The name is
/// always there, since it leads to the component.
pub(crate) fn chosen(names: &[String]) -> Vec<ListColumn> {
    let known = |column: &ListColumn| names.iter().any(|name| name == column.column.as_str());
    let any = COLUMNS.iter().any(known);
    COLUMNS
        .into_iter()
        .filter(|column| column.column == Column::Name || if any { known(column) } else { column.by_default })
        .collect()
}

/// What stands in a cell.
pub(crate) enum Cell<'a> {
    Name(&'a str),
    Text(&'a str),
    Owned(String),
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
            Column::Id => Cell::Owned(item.id.to_string()),
            Column::Sku => Cell::Text(item.sku.as_ref().map_or("", |sku| sku.as_str())),
            Column::Name => Cell::Name(item.name.as_str()),
            Column::Description => Cell::Text(item.description.as_str()),
            Column::Notes => Cell::Text(item.notes.as_str()),
            Column::Manufacturer => Cell::Text(item.manufacturer.as_ref().map_or("", |text| text.as_str())),
            Column::Mpn => Cell::Text(item.mpn.as_ref().map_or("", |mpn| mpn.as_str())),
            Column::Barcode => Cell::Text(item.barcode.as_ref().map_or("", |barcode| barcode.as_str())),
            Column::Unit => Cell::Text(item.unit.as_str()),
            Column::MinQuantity => Cell::Owned(item.min_quantity.to_string()),
            Column::UnitCost => Cell::Owned(item.unit_cost.map(|cost| cost.to_string()).unwrap_or_default()),
            Column::Currency => Cell::Text(item.currency.as_ref().map_or("", |currency| currency.as_str())),
            Column::DatasheetUrl => Cell::Link(item.datasheet_url.as_ref().map_or("", |url| url.as_str())),
            Column::Tags => Cell::Tags(item.tags.0.iter().map(Tag::as_str).collect()),
            Column::Status => Cell::Status(item.status),
            Column::CreatedAt => Cell::Time(Moment(item.created_at)),
            Column::CreatedBy => Cell::Text(item.created_by.as_str()),
            Column::UpdatedAt => Cell::Time(Moment(item.updated_at)),
            Column::UpdatedBy => Cell::Text(item.updated_by.as_str()),
            Column::Version => Cell::Owned(item.version.to_string()),
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
