//! How fast the disk is: every durable figure is worth only what it says beside this one.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

/// What one append writes: about a page of a database.
const BYTES: usize = 4096;
/// How long it is measured.
const FOR: Duration = Duration::from_secs(1);

/// How many times a second a file can be appended to and made durable.
pub(super) fn fdatasync_rate(folder: &Path) -> anyhow::Result<f64> {
    let path = folder.join("fdatasync");
    let mut file = File::create(&path)?;
    let start = Instant::now();
    let mut syncs = 0_u32;
    while start.elapsed() < FOR {
        file.write_all(&[0x5a; BYTES])?;
        file.sync_data()?;
        syncs += 1;
    }
    let rate = f64::from(syncs) / start.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    Ok(rate)
}
