//! How a file is to be read: what separates its cells, and which columns fill which fields.

use inventory_core::Field;
use inventory_csv::{Form, Header, Mapping, TargetField};
use serde::{Deserialize, Serialize};

use super::{MAX_CUSTOM_VALUES, MAX_ROWS};
use crate::{components, form_data::FormData};

/// How the names begin of the fields of the form that say what fills a field.
pub(super) const FILL: &str = "fill.";
/// How the names begin of the fields of the form that name the custom field which a column fills.
pub(super) const CUSTOM: &str = "custom.";
/// How the names of custom fields begin among those of all fields.
const CUSTOM_FIELDS: &str = "custom_fields.";
/// What separates the tags in a cell, unless it is told otherwise.
const LIST_SEPARATOR: &str = ",";

/// The settings of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settings {
    /// An ASCII character.
    pub(super) delimiter: char,
    pub(super) list_separator: String,
    /// Names of fields and what fills them. A field that nothing fills is here too, so that no column fills it by
    /// its name.
    fills: Vec<(String, String)>,
}

impl Settings {
    /// What the header of a file suggests.
    pub(super) fn suggested(header: &Header, delimiter: u8) -> Self {
        let exact = |name: &str| header.columns.iter().find(|column| *column == name);
        let similar = |field: Field| {
            let mut names = components::view(field).import_names.iter();
            names.find_map(|name| header.columns.iter().find(|column| plain(column) == *name))
        };
        let column = |field: Field| exact(field.as_str()).or_else(|| similar(field));
        let mut fills = Vec::new();
        for field in Field::ALL {
            let found = match field {
                // What a maker calls a part is better than nothing.
                Field::Sku => column(field).or_else(|| column(Field::Mpn)),
                Field::Name => column(field).or_else(|| column(Field::Mpn)).or_else(|| column(Field::Sku)),
                field => column(field),
            };
            fills.push((field.as_str().to_owned(), found.map(|column| template(column)).unwrap_or_default()));
        }
        for column in &header.columns {
            if matches!(TargetField::named(column), Ok(TargetField::Id | TargetField::CustomField(_))) {
                fills.push((column.clone(), template(column)));
            }
        }
        Self { delimiter: char::from(delimiter), list_separator: LIST_SEPARATOR.to_owned(), fills }
    }

    /// What was typed into the form for a file, right or wrong.
    pub(super) fn read(fields: &FormData, header: &Header) -> Self {
        let filled = fields
            .0
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(FILL)?.to_owned(), value.trim().to_owned())));
        let mut fills: Vec<_> = filled.collect();
        for (index, column) in header.columns.iter().enumerate() {
            let named = fields.text(&format!("{CUSTOM}{index}")).trim();
            if !named.is_empty() {
                fills.push((format!("{CUSTOM_FIELDS}{named}"), template(column)));
            } else if let Ok(TargetField::CustomField(_)) = TargetField::named(column) {
                fills.push((column.clone(), String::new()));
            }
        }
        let list_separator = fields.text("list_separator").to_owned();
        Self { delimiter: delimiter(fields), list_separator, fills }
    }

    /// The same as the text that waits with the file.
    pub(super) fn text(&self) -> String {
        // Cannot fail: it is texts.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What [`Self::text`] made.
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// What fills a field.
    pub(super) fn fill(&self, name: &str) -> &str {
        self.fills.iter().find(|(field, _)| field == name).map_or("", |(_, template)| template)
    }

    /// The custom field that a column fills alone.
    pub(super) fn custom(&self, column: &str) -> &str {
        let template = template(column);
        let mut names = self.fills.iter().filter(|(_, filled)| *filled == template);
        names.find_map(|(name, _)| name.strip_prefix(CUSTOM_FIELDS)).unwrap_or_default()
    }

    /// The same for reading the file, or what is wrong with it.
    pub(super) fn mappings(&self) -> Result<Vec<Mapping>, String> {
        if self.list_separator.is_empty() {
            return Err("Enter the tag separator, such as a comma.".to_owned());
        }
        let mapping = |(name, template): &(String, String)| {
            let mapping = format!("{name}={template}").parse();
            mapping.map_err(|error| match name.strip_prefix(CUSTOM_FIELDS) {
                Some(custom) => format!("Custom field {custom:?}: {error}."),
                None => format!("The value for {name} {error}."),
            })
        };
        self.fills.iter().map(mapping).collect()
    }

    /// How a file is read with these mappings.
    pub(super) fn form<'a>(&'a self, mappings: &'a [Mapping]) -> Form<'a> {
        let delimiter = u8::try_from(self.delimiter).unwrap_or(b',');
        Form {
            mappings,
            delimiter,
            list_separator: &self.list_separator,
            max_rows: MAX_ROWS,
            max_custom_values: MAX_CUSTOM_VALUES,
        }
    }

    /// Whether every column is one of a field by its name, as in a file that was exported.
    pub(super) fn are_plain(header: &Header) -> bool {
        header.columns.iter().all(|column| TargetField::named(column).is_ok())
            && header.columns.iter().any(|column| column == Field::Sku.as_str())
    }
}

/// What separates the cells, as the form says; only an ASCII character can.
pub(super) fn delimiter(fields: &FormData) -> char {
    match fields.text("delimiter") {
        ";" => ';',
        "tab" => '\t',
        "|" => '|',
        _ => ',',
    }
}

/// The template that is one column.
fn template(column: &str) -> String {
    format!("{{{column}}}")
}

/// A name without what people write between its words.
fn plain(name: &str) -> String {
    name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(columns: &[&str]) -> Header {
        Header { columns: columns.iter().map(|column| (*column).to_owned()).collect(), samples: Vec::new() }
    }

    #[test]
    fn columns_are_known_by_what_people_call_them() {
        let settings =
            Settings::suggested(&header(&["Mfr Part #", "Part_Number", "Unit Price", "tags", "X"]), b';');
        assert_eq!(settings.fill("mpn"), "{Mfr Part #}");
        assert_eq!(settings.fill("sku"), "{Mfr Part #}");
        assert_eq!(settings.fill("unit_cost"), "{Unit Price}");
        assert_eq!((settings.fill("tags"), settings.fill("notes")), ("{tags}", ""));
        assert_eq!(Settings::parse(&settings.text()), Some(settings));
    }

    #[test]
    fn what_an_export_wrote_needs_no_form() {
        let export = header(&["id", "sku", "name", "custom_fields"]);
        let settings = Settings::suggested(&export, b',');
        assert!(Settings::are_plain(&export));
        assert_eq!(settings.fill("id"), "{id}");
        assert!(!Settings::are_plain(&header(&["sku", "Colour"])));
    }

    #[test]
    fn a_form_names_the_custom_field_of_a_column() {
        let header = header(&["sku", "Reach"]);
        let fields = |custom: &str| {
            let fields = [("fill.sku", "{sku}"), ("list_separator", ","), ("custom.1", custom)];
            FormData(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
        };
        let settings = Settings::read(&fields("reach"), &header);
        assert_eq!(settings.custom("Reach"), "reach");
        assert_eq!(settings.mappings().unwrap().len(), 2);
        let wrong = Settings::read(&fields("Reach!"), &header);
        assert_eq!(wrong.custom("Reach"), "Reach!");
        assert!(wrong.mappings().unwrap_err().starts_with("Custom field \"Reach!\": "));
    }
}
