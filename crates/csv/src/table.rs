//! From the bytes of a CSV file to rows that say what each component is to be.

use std::collections::HashMap;

use csv::ByteRecord;
use inventory_core::{
    ComponentId, ComponentPatch, CustomFieldText, Field, FieldError, Sku, ValidationErrors,
};
use serde_json::{Map, Value};

use crate::{
    cell,
    fault::{Fault, shown},
    lines::LineCounter,
    mapping::{Filling, Layout, LayoutError, Mapping, TargetField, trim},
    width::{self, Excess, MAX_CELL_BYTES, MAX_CELLS},
};

/// Maximum number of row faults of a file that are kept, each with the value that was found.
const MAX_FAULTS: usize = 100_000;

/// A row that can be understood by itself.
#[derive(Debug, Clone)]
pub struct Row {
    /// Which record of the file it is, from 0, without the header.
    pub index: usize,
    /// The line on which it begins, from 1.
    pub line: u64,
    /// The component that it says it is, which need not exist.
    pub id: Option<ComponentId>,
    /// The sku that it gives.
    pub sku: Option<Sku>,
    /// What the file says of the component.
    pub patch: ComponentPatch,
    /// Whether the custom fields in the patch are all that there are to be.
    pub custom_fields_whole: bool,
}

/// A row that cannot be understood.
#[derive(Debug, Clone)]
pub struct FaultyRow {
    /// Which record of the file it is, from 0, without the header.
    pub index: usize,
    /// The line on which it begins, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
}

/// A file that was read.
#[derive(Debug)]
pub struct Table {
    /// What fills which field.
    pub layout: Layout,
    /// The rows that can be understood.
    pub rows: Vec<Row>,
    /// The other rows.
    pub faulty: Vec<FaultyRow>,
    /// The number of records in the file, without the header. Each is one of the rows above.
    pub records: usize,
}

/// How the file is to be read.
#[derive(Debug)]
pub struct Form<'a> {
    /// What fills fields otherwise than by the name of a column.
    pub mappings: &'a [Mapping],
    /// What separates cells.
    pub delimiter: u8,
    /// What separates tags within a cell.
    pub list_separator: &'a str,
    /// How many rows the file may have.
    pub max_rows: usize,
    /// How many values of custom fields all rows may have together.
    pub max_custom_values: usize,
}

fn header_fault(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Utf8 { .. } => "is not text in UTF-8".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

/// What is wrong with a file as a whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The first line is not one of CSV.
    #[error("the header of the file {}", header_fault(.0))]
    Header(csv::Error),
    /// There is no first line.
    #[error("the file is empty: it must begin with a header that names the columns")]
    Empty,
    /// The columns do not fill the fields.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The file cannot be read to its end.
    #[error("the file cannot be read: {0}")]
    Unreadable(csv::Error),
    /// A quoted cell has no end, so that it contains all rows that follow.
    #[error("the row on line {line} has a quote that is never closed")]
    OpenQuote {
        /// The line on which the row begins.
        line: u64,
    },
    /// The file has more rows than are taken.
    #[error("the file has more than {0} rows, which is the limit")]
    TooManyRows(usize),
    /// The rows have more values of custom fields than are taken.
    #[error("the rows have more than {0} values of custom fields, which is the limit: split the file")]
    TooManyCustomValues(usize),
    /// A line of the file has more cells than are taken.
    #[error("a line of the file has more than {MAX_CELLS} cells, which is the limit")]
    TooManyCells,
    /// A cell is longer than is taken.
    #[error(
        "a cell of the file is longer than {MAX_CELL_BYTES} bytes, which is the limit; is a quote missing?"
    )]
    CellTooLong,
    /// More is wrong than can be told.
    #[error("the file has more than {MAX_FAULTS} errors; the first is: {0}")]
    TooManyFaults(Box<Fault>),
}

/// How a file begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The names of its columns.
    pub columns: Vec<String>,
    /// The first cells of each column.
    pub samples: Vec<Vec<String>>,
}

/// What may separate cells.
const DELIMITERS: [u8; 3] = *b",;\t";

impl Header {
    /// Reads the header and the cells of the first rows, at most `rows`.
    pub fn read(bytes: &[u8], delimiter: u8, rows: usize) -> Result<Self, TableError> {
        let mut reader = reader(bytes, delimiter)?;
        let columns = header(&mut reader)?;
        let mut samples = vec![Vec::new(); columns.len()];
        for record in reader.byte_records().take(rows) {
            let record = record.map_err(TableError::Unreadable)?;
            for (cells, cell) in samples.iter_mut().zip(&record) {
                cells.push(cell::text(&String::from_utf8_lossy(cell)).to_owned());
            }
        }
        Ok(Self { columns, samples })
    }

    /// What seems to separate the cells of a file: what its first line has most of.
    pub fn delimiter(bytes: &[u8]) -> u8 {
        let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        let count = |delimiter: &u8| line.split(|byte| byte == delimiter).count();
        // Of equals the last is taken, and nothing of all is a comma.
        DELIMITERS.into_iter().rev().max_by_key(count).unwrap_or(b',')
    }
}

fn reader(bytes: &[u8], delimiter: u8) -> Result<csv::Reader<&[u8]>, TableError> {
    width::check(bytes, delimiter).map_err(|excess| match excess {
        Excess::Cells => TableError::TooManyCells,
        Excess::CellBytes => TableError::CellTooLong,
    })?;
    Ok(csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(bytes))
}

fn header(reader: &mut csv::Reader<&[u8]>) -> Result<Vec<String>, TableError> {
    let header = reader.headers().map_err(TableError::Header)?;
    if header.is_empty() {
        return Err(TableError::Empty);
    }
    Ok(header.iter().map(|name| trim(name).to_owned()).collect())
}

impl Table {
    /// Reads a file. What is wrong with single rows is in the result; an error is about the whole.
    pub fn read(bytes: &[u8], form: &Form<'_>) -> Result<Self, TableError> {
        let mut reader = reader(bytes, form.delimiter)?;
        let header = header(&mut reader)?;
        let layout = Layout::new(&header, form.mappings)?;
        let mut lines = LineCounter::new(bytes);
        let (mut rows, mut faulty) = (Vec::new(), Vec::new());
        let (mut custom_values, mut fault_count) = (0, 0);
        let mut records = 0;
        let mut last = None;
        for record in reader.byte_records() {
            let record = record.map_err(TableError::Unreadable)?;
            if records == form.max_rows {
                return Err(TableError::TooManyRows(form.max_rows));
            }
            let position = record.position().map_or(0, csv::Position::byte);
            let position = usize::try_from(position).unwrap_or(usize::MAX);
            let (index, line) = (records, lines.line_of_record(position));
            match read_row(&record, index, line, &header, &layout, form.list_separator) {
                Ok(row) => {
                    let fields = row.patch.custom_fields.as_ref().and_then(Option::as_ref);
                    custom_values += fields.map_or(0, |fields| fields.0.len());
                    if custom_values > form.max_custom_values {
                        return Err(TableError::TooManyCustomValues(form.max_custom_values));
                    }
                    rows.push(row);
                }
                Err(found) => {
                    fault_count += found.len();
                    faulty.push(FaultyRow { index, line, faults: found });
                }
            }
            if fault_count > MAX_FAULTS {
                let first = faulty.swap_remove(0).faults.swap_remove(0);
                return Err(TableError::TooManyFaults(Box::new(first)));
            }
            records += 1;
            last = Some((position, line));
        }
        if let Some((position, line)) = last
            && has_open_quote(bytes.get(position..).unwrap_or_default(), form.delimiter)
        {
            return Err(TableError::OpenQuote { line });
        }
        let (rows, repeated) = without_repeated_skus(rows, &layout);
        faulty.extend(repeated);
        Ok(Self { layout, rows, faulty, records })
    }
}

/// Whether a quoted cell is still open at the end of the file. A line appended to it would then not be a new
/// record.
fn has_open_quote(record: &[u8], delimiter: u8) -> bool {
    let with_another = [record, b"\nx"].concat();
    let mut reader = csv::ReaderBuilder::new();
    let reader = reader.delimiter(delimiter).flexible(true).has_headers(false).from_reader(&with_another[..]);
    reader.into_byte_records().count() < 2
}

fn read_row(
    record: &ByteRecord,
    index: usize,
    line: u64,
    header: &[String],
    layout: &Layout,
    list_separator: &str,
) -> Result<Row, Vec<Fault>> {
    let cells = cells(record, line, header, layout.width)?;
    let mut draft = Draft { index, line, ..Draft::default() };
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
        std::str::from_utf8(cell).map(|cell| cell::text(cell).to_owned()).map_err(|_| Fault {
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
    index: usize,
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
            TargetField::Id => self.id = text.parse().ok().map(ComponentId),
            TargetField::CustomField(name) => {
                let value = match text.parse::<CustomFieldText>() {
                    Ok(_) if text.is_empty() => Value::Null,
                    Ok(_) => Value::String(text),
                    Err(error) => return self.fault(filling, error.to_string(), &text),
                };
                self.custom_fields.get_or_insert_default().insert(name.to_string(), value);
            }
            TargetField::Field(Field::CustomFields) => {
                self.custom_fields_whole = true;
                let fields = self.custom_fields.get_or_insert_default();
                match serde_json::from_str(&text) {
                    Ok(Value::Object(members)) => *fields = members,
                    _ if text.is_empty() => {}
                    _ => self.fault(filling, "must be a JSON object".to_owned(), &text),
                }
            }
            TargetField::Field(field) if field.is_required() && text.is_empty() => {
                self.fault(filling, "must not be empty".to_owned(), "");
            }
            // Whether a component can do without a sku depends on its id.
            TargetField::Field(Field::Sku) if text.is_empty() => {
                self.members.insert(Field::Sku.as_str().to_owned(), Value::Null);
            }
            TargetField::Field(field) => {
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
        let Self { index, line, id, mut members, custom_fields, custom_fields_whole, given, mut faults } =
            self;
        if let Some(fields) = custom_fields {
            members.insert(Field::CustomFields.as_str().to_owned(), Value::Object(fields));
        }
        let sku_given = members.get(Field::Sku.as_str()).is_some_and(|sku| !sku.is_null());
        if !sku_given && id.is_none() {
            faults.push(Fault {
                line,
                place: place_of(Field::Sku.as_str(), layout),
                expected: "must not be empty, because rows are matched to components by sku".to_owned(),
                found: shown(""),
            });
        }
        match ComponentPatch::from_json(Value::Object(members)) {
            Ok(patch) if faults.is_empty() => {
                let sku = patch.sku.clone().flatten();
                Ok(Row { index, line, id, sku, patch, custom_fields_whole })
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
pub(crate) fn invalid_faults<'a>(
    ValidationErrors(errors): ValidationErrors,
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
pub(crate) fn place_of(field: &str, layout: &Layout) -> String {
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

/// The rows, and those of them whose sku a row before them has.
fn without_repeated_skus(rows: Vec<Row>, layout: &Layout) -> (Vec<Row>, Vec<FaultyRow>) {
    let mut lines = HashMap::new();
    let mut faulty = Vec::new();
    let mut unique = Vec::with_capacity(rows.len());
    for row in rows {
        let earlier = row.sku.as_ref().and_then(|sku| lines.insert(sku.as_str().to_owned(), row.line));
        let (Some(sku), Some(earlier)) = (&row.sku, earlier) else {
            unique.push(row);
            continue;
        };
        let fault = Fault {
            line: row.line,
            place: place_of(Field::Sku.as_str(), layout),
            expected: "must be unique in the file".to_owned(),
            found: format!("{}, which line {earlier} has too", shown(sku.as_str())),
        };
        faulty.push(FaultyRow { index: row.index, line: row.line, faults: vec![fault] });
    }
    (unique, faulty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_separates_the_cells_is_seen_in_the_header() {
        for (file, delimiter) in
            [("a,b;c,d\n;;;;", b','), ("a;b\n", b';'), ("a\tb,c\td", b'\t'), ("a", b','), ("", b',')]
        {
            assert_eq!(Header::delimiter(file.as_bytes()), delimiter, "{file:?}");
        }
        let header = Header::read(b"\xef\xbb\xbf a ;b\n1;'=2\n3\n5;6\n", b';', 2).unwrap();
        assert_eq!(header.columns, ["a", "b"]);
        assert_eq!(header.samples, [vec!["1", "3"], vec!["=2"]]);
    }

    #[test]
    fn no_more_rows_are_read_than_are_taken() {
        let form = |max_rows| Form {
            mappings: &[],
            delimiter: b',',
            list_separator: ",",
            max_rows,
            max_custom_values: 1,
        };
        assert_eq!(Table::read(b"sku,name\nA,a\nB,b\n", &form(2)).unwrap().rows.len(), 2);
        assert!(matches!(Table::read(b"sku,name\nA,a\nB,b\n", &form(1)), Err(TableError::TooManyRows(1))));
        let file = b"sku,name,custom_fields.a\nA,a,1\nB,b,2\n";
        assert!(matches!(Table::read(file, &form(2)), Err(TableError::TooManyCustomValues(1))));
    }
}
