//! A file of components while it is written: CSV as an import reads it back, or JSON lines.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use inventory_core::{Component, Field, Tag, Tags};

use crate::cell::escape_formula;

/// A file while it is written. Cells that a spreadsheet would take for formulas are made text, which an import
/// takes back.
#[derive(Debug)]
pub struct ComponentWriter<'a, W: Write>(Form<'a, W>);

#[derive(Debug)]
enum Form<'a, W: Write> {
    Csv { writer: Box<csv::Writer<W>>, list_separator: &'a str },
    JsonLines(W),
}

/// Why a component cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComponentWriterError {
    /// Nothing can be written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A tag holds what separates tags.
    #[error("the tag {tag:?} contains the separator {separator:?}; choose another separator")]
    Separator {
        /// The tag.
        tag: String,
        /// What separates tags.
        separator: String,
    },
}

impl<'a, W: Write> ComponentWriter<'a, W> {
    /// Begins a CSV file with its header. `list_separator` separates tags within a cell.
    pub fn csv(out: W, list_separator: &'a str) -> Result<Self, ComponentWriterError> {
        let mut writer = Box::new(csv::Writer::from_writer(out));
        let header = ["id"].into_iter().chain(Field::ALL.map(Field::as_str));
        writer.write_record(header).map_err(unwritten)?;
        Ok(Self(Form::Csv { writer, list_separator }))
    }

    /// Goes on with a CSV file whose header was written before.
    pub fn csv_without_header(out: W, list_separator: &'a str) -> Self {
        Self(Form::Csv { writer: Box::new(csv::Writer::from_writer(out)), list_separator })
    }

    /// Begins a file with the JSON of a component on each line.
    pub fn json_lines(out: W) -> Self {
        Self(Form::JsonLines(out))
    }

    /// Writes a component.
    pub fn write(&mut self, component: &Component) -> Result<(), ComponentWriterError> {
        match &mut self.0 {
            Form::Csv { writer, list_separator } => {
                writer.write_field(component.id.to_string()).map_err(unwritten)?;
                for field in Field::ALL {
                    let cell = escape_formula(text(component, field, list_separator)?);
                    writer.write_field(cell.as_ref()).map_err(unwritten)?;
                }
                writer.write_record(None::<&[u8]>).map_err(unwritten)?;
            }
            Form::JsonLines(out) => {
                serde_json::to_writer(&mut *out, component).map_err(io::Error::from)?;
                out.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    /// Ends the file.
    pub fn finish(self) -> Result<W, ComponentWriterError> {
        let mut out = match self.0 {
            Form::Csv { writer, list_separator: _ } => {
                writer.into_inner().map_err(csv::IntoInnerError::into_error)?
            }
            Form::JsonLines(out) => out,
        };
        out.flush()?;
        Ok(out)
    }
}

/// The I/O error behind a CSV error, so that the caller can recognise a broken pipe, which is no failure.
fn unwritten(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// A field as `import` reads it back. Nothing is an empty cell.
fn text<'a>(
    component: &'a Component,
    field: Field,
    list_separator: &str,
) -> Result<Cow<'a, str>, ComponentWriterError> {
    Ok(match (field, component.text(field)) {
        (_, Some(text)) => text,
        (Field::Tags, None) => joined(&component.tags, list_separator)?.into(),
        (_, None) if component.custom_fields.is_empty() => "".into(),
        (_, None) => serde_json::to_string(&component.custom_fields).map_err(io::Error::from)?.into(),
    })
}

fn joined(tags: &Tags, list_separator: &str) -> Result<String, ComponentWriterError> {
    let tags: Vec<_> = tags.iter().map(Tag::as_str).collect();
    if let Some(tag) = tags.iter().find(|tag| tag.contains(list_separator)) {
        let (tag, separator) = ((*tag).to_owned(), list_separator.to_owned());
        return Err(ComponentWriterError::Separator { tag, separator });
    }
    Ok(tags.join(list_separator))
}
