//! `inventory export`: all components, in the order of their ids, which is that of their creation.

use std::{
    borrow::Cow,
    fs::Permissions,
    io::{self, BufWriter, Write, stdout},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use anyhow::{Context as _, bail};
use inventory_core::{Barcode, Component, Currency, DatasheetUrl, Field, Manufacturer, Mpn, Sku, Tag, Tags};

use crate::{
    config::{Common, Export, Format},
    database::Purpose,
    target::Target,
};

/// Writes all components to a file or to the standard output.
pub(crate) async fn run(common: &Common, options: Export) -> anyhow::Result<()> {
    let target = Target::open(common, &options.server, Purpose::Inspect).await?;
    let outcome = match &options.output {
        Some(path) => to_file(&target, &options, path).await,
        None => export(&target, &options, BufWriter::new(stdout())).await.map(drop),
    };
    target.close().await;
    outcome
}

/// What a new file may be, before the user's own mask: what other programs make.
const FILE_MODE: u32 = 0o666;

/// Writes beside the file and then moves it into its place.
async fn to_file(target: &Target, options: &Export, path: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(FILE_MODE))
        .tempfile_in(directory)
        .with_context(cannot)?;
    let writer = export(target, options, BufWriter::new(file)).await?;
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error).with_context(cannot)?;
    file.as_file().sync_all().with_context(cannot)?;
    file.persist(path).with_context(cannot)?;
    Ok(())
}

async fn export<W: Write>(target: &Target, options: &Export, out: W) -> anyhow::Result<W> {
    // Nothing is written before it is known that there is an answer.
    let (mut components, mut cursor) = target.page(None).await?;
    let mut sheet = Sheet::begin(options, out)?;
    loop {
        for component in &components {
            sheet.write(component)?;
        }
        if cursor.is_none() {
            return sheet.finish();
        }
        (components, cursor) = target.page(cursor).await?;
    }
}

/// A file while it is written.
enum Sheet<'a, W: Write> {
    Csv { writer: Box<csv::Writer<W>>, list_separator: &'a str },
    Jsonl(W),
}

impl<'a, W: Write> Sheet<'a, W> {
    fn begin(options: &'a Export, out: W) -> anyhow::Result<Self> {
        Ok(match options.format {
            Format::Csv => {
                let mut writer = Box::new(csv::Writer::from_writer(out));
                writer.write_record(["id"].into_iter().chain(Field::ALL.map(Field::as_str)))?;
                Self::Csv { writer, list_separator: &options.list_separator }
            }
            Format::Jsonl => Self::Jsonl(out),
        })
    }

    fn write(&mut self, component: &Component) -> anyhow::Result<()> {
        match self {
            Self::Csv { writer, list_separator } => {
                writer.write_field(component.id.to_string())?;
                for field in Field::ALL {
                    writer.write_field(cell(component, field, list_separator)?.as_ref())?;
                }
                writer.write_record(None::<&[u8]>)?;
            }
            Self::Jsonl(out) => {
                serde_json::to_writer(&mut *out, component).map_err(io::Error::from)?;
                out.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    fn finish(self) -> anyhow::Result<W> {
        let mut out = match self {
            Self::Csv { writer, list_separator: _ } => {
                writer.into_inner().map_err(csv::IntoInnerError::into_error)?
            }
            Self::Jsonl(out) => out,
        };
        out.flush()?;
        Ok(out)
    }
}

/// A field as `import` reads it back. Nothing is an empty cell.
fn cell<'a>(component: &'a Component, field: Field, list_separator: &str) -> anyhow::Result<Cow<'a, str>> {
    fn text<T>(value: Option<&T>, as_str: fn(&T) -> &str) -> Cow<'_, str> {
        value.map_or("", as_str).into()
    }
    Ok(match field {
        Field::Sku => text(component.sku.as_ref(), Sku::as_str),
        Field::Name => component.name.as_str().into(),
        Field::Description => component.description.as_str().into(),
        Field::Notes => component.notes.as_str().into(),
        Field::Manufacturer => text(component.manufacturer.as_ref(), Manufacturer::as_str),
        Field::Mpn => text(component.mpn.as_ref(), Mpn::as_str),
        Field::Barcode => text(component.barcode.as_ref(), Barcode::as_str),
        Field::Unit => component.unit.as_str().into(),
        Field::MinQuantity => component.min_quantity.to_string().into(),
        Field::UnitCost => component.unit_cost.map(|cost| cost.to_string()).unwrap_or_default().into(),
        Field::Currency => text(component.currency.as_ref(), Currency::as_str),
        Field::DatasheetUrl => text(component.datasheet_url.as_ref(), DatasheetUrl::as_str),
        Field::Tags => joined(&component.tags, list_separator)?.into(),
        Field::CustomFields if component.custom_fields.0.is_empty() => "".into(),
        Field::CustomFields => serde_json::to_string(&component.custom_fields)?.into(),
        Field::Status => component.status.as_str().into(),
    })
}

fn joined(tags: &Tags, list_separator: &str) -> anyhow::Result<String> {
    let tags: Vec<_> = tags.0.iter().map(Tag::as_str).collect();
    if let Some(tag) = tags.iter().find(|tag| tag.contains(list_separator)) {
        bail!(
            "the tag {tag:?} holds the separator {list_separator:?}, so it could not be told from two tags"
        );
    }
    Ok(tags.join(list_separator))
}
