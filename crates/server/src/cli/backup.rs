//! `inventory backup` and `inventory restore`

use std::io::{Write as _, stdout};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use inventory_core::Clock;
use inventory_store::{BackupError, RestoreReport};
use secrecy::ExposeSecret as _;

use crate::{
    config::{Backup, Common, Restore},
    database,
};

/// Copies the database into a file and prints a summary.
pub(crate) async fn run(common: &Common, options: Backup) -> anyhow::Result<()> {
    let url = database::url(common)?;
    let Backup { file, overwrite } = options;
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template("copying {bar:40} {percent} %")?);
    let (progress, target) = (bar.clone(), file.clone());
    let copy = move || {
        inventory_store::backup(url.expose_secret(), &target, overwrite, &Clock::system(), |copied, pages| {
            progress.set_length(pages);
            progress.set_position(copied);
        })
    };
    let report = tokio::task::spawn_blocking(copy).await.context("the backup failed")?;
    bar.finish_and_clear();
    let report = report.map_err(|error| match error {
        BackupError::Exists(_) => anyhow::Error::from(error).context("add --overwrite to replace it"),
        error => error.into(),
    })?;
    writeln!(
        stdout(),
        "Backed up the database to {}: {} bytes, up to event {}, verified.",
        file.display(),
        report.bytes,
        report.head
    )?;
    Ok(())
}

/// Replaces the database with a backup, or gives the log of a restored PostgreSQL database a new identity.
pub(crate) async fn restore(common: &Common, options: Restore) -> anyhow::Result<()> {
    let url = database::url(common)?;
    let mut out = stdout();
    let head = if let Some(file) = &options.file {
        let RestoreReport { head, previous } =
            inventory_store::restore(url.expose_secret(), file, &Clock::system()).await?;
        if let Some(previous) = previous {
            writeln!(out, "The previous database is kept as {}.", previous.display())?;
        }
        head
    } else {
        anyhow::ensure!(!url.expose_secret().starts_with("sqlite:"), "give the backup file to restore");
        inventory_store::renew(url.expose_secret(), &Clock::system()).await?
    };
    writeln!(
        out,
        "Restored up to event {head}. Clients of the event stream will be told to read everything again.\n\
         Entity tags from before the restore are no longer valid. API tokens, passwords and sessions are those of\n\
         the backup: revoke again what was revoked since."
    )?;
    Ok(())
}
