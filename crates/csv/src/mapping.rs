//! From columns to fields: `FIELD=TEMPLATE`, and the columns that are named like fields.

use std::str::FromStr;

use inventory_core::{CustomFieldName, Field, FieldKind};

/// What a cell, or several of them, can fill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetField {
    /// The id, by which a component is found but which is never set.
    Id,
    /// A field.
    Field(Field),
    /// One custom field.
    CustomField(CustomFieldName),
}

/// How all names of custom fields begin.
const CUSTOM_FIELD_PREFIX: &str = "custom_fields.";

impl TargetField {
    /// The slot of this name, or what is wrong with the name.
    pub fn named(name: &str) -> Result<Self, String> {
        if name == "id" {
            return Ok(Self::Id);
        }
        if let Some(custom) = name.strip_prefix(CUSTOM_FIELD_PREFIX) {
            return custom
                .parse()
                .map(Self::CustomField)
                .map_err(|error| format!("the custom field's name {error}"));
        }
        let field = Field::ALL.into_iter().find(|field| field.as_str() == name);
        field.map(Self::Field).ok_or_else(|| {
            let names: Vec<_> = Field::ALL.iter().map(|field| field.as_str()).collect();
            format!("there is no field {name:?}; the fields are {} and custom_fields.NAME", names.join(", "))
        })
    }

    /// Whether spaces at the ends are part of the text. Elsewhere they cannot be, so they are dropped.
    fn keeps_spaces(&self) -> bool {
        matches!(self, Self::Field(field) if field.kind() == FieldKind::Lines)
    }
}

impl std::fmt::Display for TargetField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id => f.write_str("id"),
            Self::Field(field) => f.write_str(field.as_str()),
            Self::CustomField(name) => write!(f, "{CUSTOM_FIELD_PREFIX}{name}"),
        }
    }
}

/// `FIELD=TEMPLATE`: a field, and text in which `{COLUMN}` stands for a cell. An empty template leaves the field alone,
/// also where the file has a column of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    slot: TargetField,
    template: Vec<Part<String>>,
}

/// A piece of a template. `C` is a column: its name, or where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part<C> {
    Text(String),
    Column(C),
}

impl Mapping {
    /// What it fills.
    pub fn slot(&self) -> &TargetField {
        &self.slot
    }
}

impl FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (slot, template) =
            text.split_once('=').ok_or("must be FIELD=TEMPLATE, such as name={part_number}")?;
        Ok(Self { slot: TargetField::named(slot)?, template: template_parts(template)? })
    }
}

fn template_parts(mut rest: &str) -> Result<Vec<Part<String>>, String> {
    let mut parts = Vec::new();
    let mut text = String::new();
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        text.push_str(before);
        if let Some(after) = brace.strip_prefix("{{").or_else(|| brace.strip_prefix("}}")) {
            text.push_str(&brace[..1]);
            rest = after;
        } else if let Some((column, after)) = brace.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            parts.extend((!text.is_empty()).then(|| Part::Text(std::mem::take(&mut text))));
            parts.push(Part::Column(column.to_owned()));
            rest = after;
        } else {
            return Err(
                "has a brace without its partner; a brace that is meant as text is doubled".to_owned()
            );
        }
    }
    text.push_str(rest);
    parts.extend((!text.is_empty()).then_some(Part::Text(text)));
    Ok(parts)
}

/// What fills which slot, for the header of one file.
#[derive(Debug)]
pub struct Layout {
    /// Each slot at most once, the whole of the custom fields before single ones.
    pub(crate) fillings: Vec<Filling>,
    /// The columns that fill nothing.
    pub unused: Vec<String>,
    /// How many cells a row has.
    pub(crate) width: usize,
}

/// One slot and what fills it.
#[derive(Debug)]
pub(crate) struct Filling {
    pub(crate) slot: TargetField,
    /// The columns, for messages.
    pub(crate) columns: Vec<String>,
    template: Vec<Part<usize>>,
}

/// Why mappings do not fit the header of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Two columns have one name.
    #[error("the column {0:?} appears twice in the header")]
    ColumnTwice(String),
    /// Two mappings fill one field.
    #[error("the field {0} is filled twice")]
    SlotTwice(TargetField),
    /// A template names a column that the file does not have.
    #[error("the field {slot} is filled from a column {column:?}, which the file does not have; its columns are {}", header.join(", "))]
    NoColumn {
        /// What the template fills.
        slot: TargetField,
        /// The column that it names.
        column: String,
        /// The columns that there are.
        header: Vec<String>,
    },
    /// Nothing fills the sku.
    #[error("no column fills the sku, by which rows are matched to components")]
    NoSku {
        /// The first column of the file.
        first: Option<String>,
    },
}

impl Layout {
    /// Binds mappings to the header of a file.
    pub(crate) fn new(header: &[String], mappings: &[Mapping]) -> Result<Self, LayoutError> {
        for (at, name) in header.iter().enumerate() {
            if !name.is_empty() && header[..at].contains(name) {
                return Err(LayoutError::ColumnTwice(name.clone()));
            }
        }
        let mut fillings = Vec::new();
        for (at, Mapping { slot, template }) in mappings.iter().enumerate() {
            if mappings[..at].iter().any(|earlier| earlier.slot == *slot) {
                return Err(LayoutError::SlotTwice(slot.clone()));
            }
            fillings.push(Filling::bind(slot.clone(), template, header)?);
        }
        for name in header {
            if let Ok(slot) = TargetField::named(name)
                && !mappings.iter().any(|mapping| mapping.slot == slot)
            {
                fillings.push(Filling::bind(slot, &[Part::Column(name.clone())], header)?);
            }
        }
        let unused = header.iter().filter(|name| {
            !name.is_empty() && !fillings.iter().any(|filling| filling.columns.contains(name))
        });
        let unused = unused.cloned().collect();
        // An empty template was only there to keep the column of that name away.
        fillings.retain(|filling| !filling.template.is_empty());
        fillings.sort_by_key(|filling| matches!(filling.slot, TargetField::CustomField(_)));
        if !fillings
            .iter()
            .any(|filling| matches!(filling.slot, TargetField::Id | TargetField::Field(Field::Sku)))
        {
            return Err(LayoutError::NoSku { first: header.first().cloned() });
        }
        Ok(Self { fillings, unused, width: header.len() })
    }
}

impl Filling {
    fn bind(slot: TargetField, template: &[Part<String>], header: &[String]) -> Result<Self, LayoutError> {
        let mut columns = Vec::new();
        let mut bound = Vec::new();
        for part in template {
            bound.push(match part {
                Part::Text(text) => Part::Text(text.clone()),
                Part::Column(name) => {
                    let Some(at) = header.iter().position(|column| column == name) else {
                        return Err(LayoutError::NoColumn {
                            slot,
                            column: name.clone(),
                            header: header.to_vec(),
                        });
                    };
                    columns.push(name.clone());
                    Part::Column(at)
                }
            });
        }
        Ok(Self { slot, columns, template: bound })
    }

    /// The text for the slot. It is empty where all cells it is made of are.
    pub(crate) fn fill(&self, cells: &[String]) -> String {
        let mut text = String::new();
        let mut empty = !self.columns.is_empty();
        for part in &self.template {
            match part {
                Part::Text(fixed) => text.push_str(fixed),
                Part::Column(at) => {
                    let cell = cells.get(*at).map_or("", String::as_str);
                    let cell = if self.slot.keeps_spaces() { cell } else { trim(cell) };
                    empty &= cell.is_empty();
                    text.push_str(cell);
                }
            }
        }
        if empty {
            text.clear();
        }
        text
    }
}

/// Without the spaces at the ends that no one-line field may have there. Other kinds of Unicode space are
/// allowed there, so they stay.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() && c <= '\u{a0}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn layout(header: &[&str], maps: &[&str]) -> Result<Layout, LayoutError> {
        let mappings: Vec<Mapping> = maps.iter().map(|map| map.parse().unwrap()).collect();
        Layout::new(&strings(header), &mappings)
    }

    fn filled(header: &[&str], maps: &[&str], cells: &[&str]) -> Vec<(String, String)> {
        let layout = layout(header, maps).unwrap();
        let cells = strings(cells);
        layout.fillings.iter().map(|filling| (filling.slot.to_string(), filling.fill(&cells))).collect()
    }

    #[test]
    fn columns_named_like_fields_fill_them_unless_a_mapping_says_otherwise() {
        let header = ["sku", "name", "notes", "colour", "custom_fields.pins"];
        let maps = ["name={colour} {name}", "notes="];
        let layout = layout(&header, &maps).unwrap();
        assert_eq!(layout.unused, ["notes"]);
        let pairs = filled(&header, &maps, &[" a ", "resistor", "n", "red", "2"]);
        let pairs: Vec<_> = pairs.iter().map(|(slot, text)| (slot.as_str(), text.as_str())).collect();
        assert_eq!(pairs, [("name", "red resistor"), ("sku", "a"), ("custom_fields.pins", "2")]);
    }

    #[test]
    fn a_template_is_empty_where_all_its_cells_are() {
        let maps = ["sku={a}/{b}", "unit=m", "name={{{a}}}"];
        let at = |cells: &[&str]| {
            filled(&["a", "b"], &maps, cells).into_iter().map(|(_, text)| text).collect::<Vec<_>>()
        };
        assert_eq!(at(&["x", "y"]), ["x/y", "m", "{x}"]);
        assert_eq!(at(&["", "y"]), ["/y", "m", ""]);
        assert_eq!(at(&[" ", "\t"]), ["", "m", ""]);
    }

    #[test]
    fn only_texts_of_many_lines_keep_the_spaces_at_their_ends() {
        let pairs = filled(&["sku", "notes"], &[], &["\u{a0}a\u{3000}\r\n", "  n\n"]);
        assert_eq!(pairs[0].1, "a\u{3000}");
        assert_eq!(pairs[1].1, "  n\n");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let refused = |text: &str| text.parse::<Mapping>().unwrap_err();
        assert!(refused("name").starts_with("must be FIELD=TEMPLATE"));
        assert!(refused("colour={a}").contains("there is no field \"colour\""));
        assert!(refused("custom_fields.A={a}").contains("lower-case letters"));
        assert!(refused("name={a").contains("brace without its partner"));
        assert!(refused("name=a}b").contains("brace without its partner"));
        let refused = |header: &[&str], maps: &[&str]| layout(header, maps).unwrap_err().to_string();
        assert!(refused(&["sku"], &["name={colour}"]).contains("its columns are sku"));
        assert!(refused(&["sku", "a", "a"], &[]).contains("column \"a\" appears twice"));
        assert!(refused(&["sku"], &["name=a", "name=b"]).contains("field name is filled twice"));
        assert!(refused(&["part"], &[]).contains("no column fills the sku"));
    }
}
