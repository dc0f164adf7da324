//! From the bytes of a CSV file to rows that say what each component is to be.

use std::collections::{HashMap, HashSet};

use anyhow::{Context as _, ensure};
use csv::ByteRecord;
use inventory_core::{ComponentId, ComponentPatch, CustomFieldText, Field, FieldError, Invalid, Sku};
use serde_json::{Map, Value};

use super::{
    fault::{Fault, shown},
    mapping::{Filling, Layout, Mapping, Slot, trim},
};

/// A row that can be understood by itself.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// The line on which it begins, from 1.
    pub(crate) line: u64,
    /// The component that it says it is, which need not exist.
    pub(crate) id: Option<ComponentId>,
    /// The sku that it gives.
    pub(crate) sku: Option<Sku>,
    /// What the file says of the component.
    pub(crate) patch: ComponentPatch,
    /// Whether the custom fields in the patch are all that there are to be.
    pub(crate) custom_fields_whole: bool,
}

/// A file that was read.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) layout: Layout,
    /// The rows that can be understood.
    pub(crate) rows: Vec<Row>,
    /// What is wrong with the others.
    pub(crate) faults: Vec<Fault>,
}

/// How the file is to be read.
#[derive(Debug)]
pub(crate) struct Form<'a> {
    pub(crate) mappings: &'a [Mapping],
    pub(crate) delimiter: u8,
    pub(crate) list_separator: &'a str,
}

impl Table {
    /// Reads a file. What is wrong with single rows is in the result; an error is about the whole.
    pub(crate) fn read(bytes: &[u8], form: &Form<'_>) -> anyhow::Result<Self> {
        let mut reader =
            csv::ReaderBuilder::new().delimiter(form.delimiter).flexible(true).from_reader(bytes);
        let header = reader.headers().context("the header of the file cannot be read")?;
        ensure!(!header.is_empty(), "the file is empty: it must begin with a header that names the columns");
        let header: Vec<_> = header.iter().map(|name| trim(name).to_owned()).collect();
        let layout = Layout::new(&header, form.mappings)?;
        let mut rows = Vec::new();
        let mut faults = Vec::new();
        for record in reader.byte_records() {
            let record = record.context("the file cannot be read")?;
            match read_row(&record, &header, &layout, form.list_separator) {
                Ok(row) => rows.push(row),
                Err(found) => faults.extend(found),
            }
        }
        let repeated = repeated_skus(&rows, &layout);
        let lines: HashSet<_> = repeated.iter().map(|fault| fault.line).collect();
        rows.retain(|row| !lines.contains(&row.line));
        faults.extend(repeated);
        Ok(Self { layout, rows, faults })
    }
}

fn read_row(
    record: &ByteRecord,
    header: &[String],
    layout: &Layout,
    list_separator: &str,
) -> Result<Row, Vec<Fault>> {
    let line = record.position().map_or(0, csv::Position::line);
    let cells = cells(record, line, header, layout.width)?;
    let mut draft = Draft { line, ..Draft::default() };
    for filling in &layout.fillings {
        draft.fill(filling, filling.fill(&cells), list_separator);
    }
    draft.finish(layout)
}

/// The cells as text.
fn cells(record: &ByteRecord, line: u64, header: &[String], width: usize) -> Result<Vec<String>, Vec<Fault>> {
    if record.len() != width {
        return Err(vec![Fault {
            line,
            place: String::new(),
            expected: format!("must have {width} cells, as the header has"),
            found: record.len().to_string(),
        }]);
    }
    let texts = record.iter().zip(header).map(|(cell, column)| {
        std::str::from_utf8(cell).map(str::to_owned).map_err(|_| Fault {
            line,
            place: format!("column {column:?}"),
            expected: "must be text in UTF-8".to_owned(),
            found: shown(&String::from_utf8_lossy(cell)),
        })
    });
    let (texts, faults): (Vec<_>, Vec<_>) = texts.partition(Result::is_ok);
    if faults.is_empty() {
        Ok(texts.into_iter().flatten().collect())
    } else {
        Err(faults.into_iter().filter_map(Result::err).collect())
    }
}

/// A row while it is read.
#[derive(Default)]
struct Draft {
    line: u64,
    id: Option<ComponentId>,
    members: Map<String, Value>,
    custom_fields: Option<Map<String, Value>>,
    custom_fields_whole: bool,
    /// What each field was given, for messages.
    given: HashMap<&'static str, String>,
    faults: Vec<Fault>,
}

impl Draft {
    fn fill(&mut self, filling: &Filling, text: String, list_separator: &str) {
        match &filling.slot {
            // An id that is none of ours finds nothing, whether or not it looks like one.
            Slot::Id => self.id = text.parse().ok().map(ComponentId),
            Slot::CustomField(name) => {
                let value = match text.parse::<CustomFieldText>() {
                    Ok(_) if text.is_empty() => Value::Null,
                    Ok(_) => Value::String(text),
                    Err(error) => return self.fault(filling, error.to_string(), &text),
                };
                self.custom_fields.get_or_insert_default().insert(name.to_string(), value);
            }
            Slot::Field(Field::CustomFields) => {
                self.custom_fields_whole = true;
                let fields = self.custom_fields.get_or_insert_default();
                match serde_json::from_str(&text) {
                    Ok(Value::Object(members)) => *fields = members,
                    _ if text.is_empty() => {}
                    _ => self.fault(filling, "must be a JSON object".to_owned(), &text),
                }
            }
            Slot::Field(field @ (Field::Sku | Field::Name)) if text.is_empty() => {
                // A component cannot do without a name. Whether it can without a sku depends on its id.
                if *field == Field::Name {
                    self.fault(filling, "must not be empty".to_owned(), "");
                } else {
                    self.members.insert(field.as_str().to_owned(), Value::Null);
                }
            }
            Slot::Field(field) => {
                let value = match field {
                    _ if text.is_empty() => Value::Null,
                    Field::Tags => {
                        text.split(list_separator).map(trim).filter(|tag| !tag.is_empty()).collect()
                    }
                    _ => Value::String(text.clone()),
                };
                self.members.insert(field.as_str().to_owned(), value);
                self.given.insert(field.as_str(), text);
            }
        }
    }

    fn fault(&mut self, filling: &Filling, expected: String, found: &str) {
        self.faults.push(Fault { line: self.line, place: place(filling), expected, found: shown(found) });
    }

    fn finish(mut self, layout: &Layout) -> Result<Row, Vec<Fault>> {
        if let Some(fields) = &self.custom_fields {
            let text = Value::Object(fields.clone()).to_string();
            self.given.insert(Field::CustomFields.as_str(), text);
        }
        let Self { line, id, mut members, custom_fields, custom_fields_whole, given, mut faults } = self;
        if let Some(fields) = custom_fields {
            members.insert(Field::CustomFields.as_str().to_owned(), Value::Object(fields));
        }
        let sku_given = members.get(Field::Sku.as_str()).is_some_and(|sku| !sku.is_null());
        if !sku_given && id.is_none() {
            faults.push(Fault {
                line,
                place: place_of(Field::Sku.as_str(), layout),
                expected: "must not be empty, since components are known by their sku".to_owned(),
                found: shown(""),
            });
        }
        match ComponentPatch::from_json(Value::Object(members)) {
            Ok(patch) if faults.is_empty() => {
                let sku = patch.sku.clone().flatten();
                Ok(Row { line, id, sku, patch, custom_fields_whole })
            }
            Ok(_) => Err(faults),
            Err(invalid) => {
                faults.extend(invalid_faults(invalid, line, layout, |field| {
                    given.get(field).map(String::as_str)
                }));
                Err(faults)
            }
        }
    }
}

/// The faults of an object whose members came from a row.
pub(super) fn invalid_faults<'a>(
    Invalid(errors): Invalid,
    line: u64,
    layout: &Layout,
    given: impl Fn(&str) -> Option<&'a str>,
) -> Vec<Fault> {
    let faults = errors.into_iter().map(|FieldError { pointer, detail }| {
        let field = pointer.trim_start_matches('/');
        let found = shown(given(field).unwrap_or_default());
        Fault { line, place: place_of(field, layout), expected: detail, found }
    });
    faults.collect()
}

/// Where a message finds a field: the columns that fill it.
pub(super) fn place_of(field: &str, layout: &Layout) -> String {
    let filling = layout.fillings.iter().find(|filling| filling.slot.to_string() == field);
    filling.map_or_else(|| field.to_owned(), place)
}

fn place(filling: &Filling) -> String {
    let slot = filling.slot.to_string();
    match &filling.columns[..] {
        [] => slot,
        [column] if *column == slot => format!("column {slot:?}"),
        [column] => format!("column {column:?} ({slot})"),
        columns => {
            let columns: Vec<_> = columns.iter().map(|column| format!("{column:?}")).collect();
            format!("columns {} ({slot})", columns.join(", "))
        }
    }
}

fn repeated_skus(rows: &[Row], layout: &Layout) -> Vec<Fault> {
    let mut lines = HashMap::new();
    let mut faults = Vec::new();
    for Row { line, sku, .. } in rows {
        let Some(sku) = sku else { continue };
        if let Some(earlier) = lines.insert(sku.as_str(), *line) {
            faults.push(Fault {
                line: *line,
                place: place_of(Field::Sku.as_str(), layout),
                expected: "must be unique in the file".to_owned(),
                found: format!("{}, which line {earlier} has too", shown(sku.as_str())),
            });
        }
    }
    faults
}
