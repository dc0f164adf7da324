//! `inventory export`: all components, in the order of their ids, which is that of their creation.

use std::{
    fs::Permissions,
    io::{self, BufWriter, Write, stdout},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use anyhow::Context as _;
use inventory_csv::ComponentWriter;

use super::backend::Backend;
use crate::{
    config::{Common, Export, Format},
    database::Purpose,
};

/// Writes all components to a file or to the standard output.
pub(crate) async fn run(common: &Common, options: Export) -> anyhow::Result<()> {
    let backend = Backend::open(common, &options.server, Purpose::Inspect).await?;
    let outcome = match &options.output {
        Some(path) => to_file(&backend, &options, path).await,
        None => export(&backend, &options, BufWriter::new(stdout())).await.map(drop),
    };
    backend.close().await;
    outcome
}

/// What a new file may be, before the user's own mask: what other programs make.
const FILE_MODE: u32 = 0o666;

/// Writes beside the file and then moves it into its place.
async fn to_file(backend: &Backend, options: &Export, path: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(FILE_MODE))
        .tempfile_in(directory)
        .with_context(cannot)?;
    let writer = export(backend, options, BufWriter::new(file)).await?;
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error).with_context(cannot)?;
    file.as_file().sync_all().with_context(cannot)?;
    file.persist(path).with_context(cannot)?;
    Ok(())
}

async fn export<W: Write>(backend: &Backend, options: &Export, out: W) -> anyhow::Result<W> {
    // Nothing is written before it is known that there is an answer.
    let (mut components, mut cursor) = backend.page(None).await?;
    let mut sheet = match options.format {
        Format::Csv => ComponentWriter::csv(out, &options.list_separator)?,
        Format::Jsonl => ComponentWriter::json_lines(out),
    };
    loop {
        for component in &components {
            sheet.write(component)?;
        }
        if cursor.is_none() {
            return Ok(sheet.finish()?);
        }
        (components, cursor) = backend.page(cursor).await?;
    }
}
