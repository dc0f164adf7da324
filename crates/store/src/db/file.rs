//! The file of a SQLite database, which must stay the one that was opened.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use sea_orm::{DbErr, RuntimeErr};

/// The size of the smallest page, and so of the smallest database, in bytes (<https://sqlite.org/fileformat.html>).
const MIN_BYTES: u64 = 512;

/// A file by its path and by what the file system knows it by. SQLite goes on writing to a file that was deleted or
/// replaced, and everything that it writes there is lost.
#[derive(Debug, Clone)]
pub(crate) struct DatabaseFile {
    path: Arc<PathBuf>,
    /// Device and inode.
    identity: (u64, u64),
}

impl DatabaseFile {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: Arc::new(path.to_owned()), identity: identity(&fs::metadata(path)?) })
    }

    /// The size of the write-ahead log, in bytes.
    pub(crate) fn wal_bytes(&self) -> u64 {
        let mut wal = self.path.as_os_str().to_owned();
        wal.push("-wal");
        fs::metadata(wal).map_or(0, |metadata| metadata.len())
    }

    /// An error that says what became of the file, unless it is still there. Takes a microsecond or two.
    pub(crate) fn verify(&self) -> Result<(), DbErr> {
        let path = self.path.display();
        let reason = match fs::metadata(&*self.path) {
            Ok(metadata) if identity(&metadata) != self.identity => {
                format!("the database file {path} was replaced while the service was running")
            }
            Ok(metadata) if metadata.len() < MIN_BYTES => format!("the database file {path} was truncated"),
            Ok(_) => return Ok(()),
            Err(error) => format!("the database file {path} is gone: {error}"),
        };
        Err(DbErr::Conn(RuntimeErr::Internal(reason)))
    }
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}
