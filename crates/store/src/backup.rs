//! Backup and restore of a SQLite database, and what a restore of any database has to change in it.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use inventory_core::{Clock, Seq, micros};
use rusqlite::{
    Connection, ErrorCode, OpenFlags,
    backup::{Backup, StepResult},
};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::{
    config::Config,
    db::database::Database,
    error::OpenError,
    log::open_head,
    service_record::{self, LAST_BACKUP_AT, VERSION_FLOOR},
};

/// How many pages are copied between two reports of progress. A page is 4 KiB.
const PAGES_PER_STEP: std::ffi::c_int = 1024;
/// How long a copy waits for a lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The ends of the names of a database's other files.
const WAL_AND_SHM: [&str; 2] = ["-wal", "-shm"];

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupReport {
    /// Its size.
    pub bytes: u64,
    /// The last event in it.
    pub head: Seq,
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreReport {
    /// The last event in the restored log.
    pub head: Seq,
    /// Where the database is that was there before.
    pub previous: Option<PathBuf>,
}

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// PostgreSQL has its own tools.
    #[error("this works on SQLite only; use pg_dump and pg_restore with PostgreSQL")]
    NotSqlite,
    /// There is no such file.
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    /// The file is there already.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// The backup is to be written over the database, or the other way round.
    #[error("{} is the database itself", .0.display())]
    SameFile(PathBuf),
    /// Another process has the database open.
    #[error("another process has {} open; stop the server first", .0.display())]
    InUse(PathBuf),
    /// The file is damaged or is not a database of this service.
    #[error("{} is not a sound backup: {reason}", path.display())]
    Unsound {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite reports an error.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The restored database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Copies a SQLite database, which may be in use, into a file that is written whole or not at all. The copy is one
/// state of the database. It is verified and on the disk when this returns, and the database remembers when.
///
/// `progress` hears how many pages were copied, and of how many. Blocks the thread.
pub fn backup(
    url: &str,
    target: &Path,
    overwrite: bool,
    clock: &Clock,
    mut progress: impl FnMut(u64, u64),
) -> Result<BackupReport, BackupError> {
    let source = sqlite_file(url)?;
    must_exist(&source)?;
    if is_same_file(&source, target) {
        return Err(BackupError::SameFile(target.to_owned()));
    }
    if target.exists() && !overwrite {
        return Err(BackupError::Exists(target.to_owned()));
    }
    let partial = with_suffix(target, ".partial");
    remove_database(&partial)?;
    let copied = copy(&source, &partial, &mut progress).and_then(|()| verify(&partial));
    let head = match copied {
        Ok(head) => head,
        Err(error) => {
            remove_database(&partial)?;
            return Err(error);
        }
    };
    let bytes = sync(&partial)?;
    rename(&partial, target)?;
    if let Err(error) = record(&source, clock) {
        // The backup is there all the same.
        tracing::warn!(%error, "failed to record the time of the backup in the database");
    }
    Ok(BackupReport { bytes, head })
}

fn record(database: &Path, clock: &Clock) -> Result<(), BackupError> {
    let sql = "INSERT INTO service_record (name, value) VALUES (?1, ?2)
               ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    let database = open(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    database.execute(sql, (LAST_BACKUP_AT, micros(clock.now())))?;
    Ok(())
}

/// Puts a backup in the place of a SQLite database that no process has open. The database that was there is kept under
/// another name. The log gets a new identity, and no version is given out again that was given out before.
pub async fn restore(url: &str, backup: &Path, clock: &Clock) -> Result<RestoreReport, BackupError> {
    let target = sqlite_file(url)?;
    must_exist(backup)?;
    if is_same_file(&target, backup) {
        return Err(BackupError::SameFile(target));
    }
    verify(backup)?;
    // Before the copy, which takes long, and again when it is in place.
    drop(lock(&target)?);
    let partial = with_suffix(&target, ".restoring");
    remove_database(&partial)?;
    fs::copy(backup, &partial).map_err(io_error(&partial))?;
    let head = renew(&format!("sqlite:{}", partial.display()), clock).await?;
    for suffix in WAL_AND_SHM {
        // Closed, the database is one file.
        remove_if_there(&with_suffix(&partial, suffix))?;
    }
    sync(&partial)?;
    let lock = lock(&target)?;
    let previous = if target.exists() { Some(move_aside(&target, clock)?) } else { None };
    rename(&partial, &target)?;
    drop(lock);
    Ok(RestoreReport { head, previous })
}

/// Gives the log of a restored database, which no process has open, a new identity, so that clients of the event stream
/// learn of it, and sees to it that no version is given out again that was given out before. Returns the last event.
pub async fn renew(url: &str, clock: &Clock) -> Result<Seq, OpenError> {
    let database = Database::open(&Config::new(url)).await?;
    let renewed = async {
        let (_, head) = open_head(&database).await?;
        let read = |error: sea_orm::DbErr| OpenError::Read(error.into());
        let transaction = database.begin().await.map_err(read)?;
        let epoch = Uuid::now_v7().simple().to_string();
        let update = database.statement("UPDATE event_head SET epoch = $1", [epoch.into()]);
        transaction.execute_raw(update).await.map_err(read)?;
        // No row is changed once a second all along, so the seconds since 1970 exceed every version so far.
        let floor = clock.now().unix_timestamp();
        service_record::set(&transaction, &database, VERSION_FLOOR, floor).await.map_err(read)?;
        transaction.commit().await.map_err(read)?;
        Ok(head)
    };
    let head = renewed.await;
    database.close().await;
    head
}

fn copy(source: &Path, target: &Path, progress: &mut impl FnMut(u64, u64)) -> Result<(), BackupError> {
    let from = open(source, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // The copy is of the state that this transaction reads, however long it takes and whatever is written meanwhile.
    from.execute_batch("BEGIN")?;
    from.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let create = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut to = open(target, create)?;
    {
        let backup = Backup::new(&from, &mut to)?;
        loop {
            let step = backup.step(PAGES_PER_STEP)?;
            let state = backup.progress();
            let pages = |count| u64::try_from(count).unwrap_or_default();
            progress(pages(state.pagecount - state.remaining), pages(state.pagecount));
            match step {
                StepResult::Done => break,
                StepResult::Busy | StepResult::Locked => std::thread::sleep(Duration::from_millis(50)),
                _ => {}
            }
        }
    }
    // One file, without a log beside it.
    to.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    to.close().map_err(|(_, error)| error.into())
}

/// Looks whether each page and index of a file is sound and its log is whole. Returns the last event.
fn verify(path: &Path) -> Result<Seq, BackupError> {
    let unsound = |reason: String| BackupError::Unsound { path: path.to_owned(), reason };
    let database = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let failed = |error: rusqlite::Error| unsound(error.to_string());
    let report: String =
        database.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if report != "ok" {
        return Err(unsound(report));
    }
    let sql = "SELECT (SELECT seq FROM event_head), (SELECT coalesce(max(seq), 0) FROM event_log),
                      (SELECT count(*) FROM event_log)";
    let (head, last, events): (i64, i64, i64) =
        database.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).map_err(failed)?;
    if head != last || last != events {
        return Err(unsound(format!(
            "the log has {events} events, the last is {last} and its head is {head}"
        )));
    }
    Ok(Seq(u64::try_from(head).unwrap_or_default()))
}

/// The only connection to a database, which keeps every other process out until it is dropped. `None` without a
/// database, or with one that cannot be read.
fn lock(path: &Path) -> Result<Option<Connection>, BackupError> {
    if !path.exists() {
        return Ok(None);
    }
    let in_use = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Err(BackupError::InUse(path.to_owned())),
        // What is damaged beyond reading is what a restore is for.
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Ok(None),
        _ => Err(error.into()),
    };
    let database = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    database.busy_timeout(Duration::ZERO)?;
    // SQLite leaves the write-ahead log only if nobody else has the database open.
    let alone = database
        .query_row("PRAGMA journal_mode = DELETE", [], |row| row.get::<_, String>(0))
        .and_then(|_| database.execute_batch("BEGIN EXCLUSIVE"));
    match alone {
        Ok(()) => Ok(Some(database)),
        Err(error) => in_use(error),
    }
}

/// Gives a database and its other files another name.
fn move_aside(path: &Path, clock: &Clock) -> Result<PathBuf, BackupError> {
    let aside = with_suffix(path, &format!(".before-restore-{}", clock.now().unix_timestamp()));
    for suffix in WAL_AND_SHM {
        let file = with_suffix(path, suffix);
        if file.exists() {
            rename(&file, &with_suffix(&aside, suffix))?;
        }
    }
    rename(path, &aside)?;
    Ok(aside)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, BackupError> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

fn sqlite_file(url: &str) -> Result<PathBuf, BackupError> {
    Database::sqlite_file(url)?.ok_or(BackupError::NotSqlite)
}

fn must_exist(path: &Path) -> Result<(), BackupError> {
    if path.exists() { Ok(()) } else { Err(BackupError::Missing(path.to_owned())) }
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Writes a file to the disk. Returns its size.
fn sync(path: &Path) -> Result<u64, BackupError> {
    let file = File::open(path).map_err(io_error(path))?;
    file.sync_all().map_err(io_error(path))?;
    Ok(file.metadata().map_err(io_error(path))?.len())
}

/// Renames a file within a folder and writes the folder to the disk.
fn rename(from: &Path, to: &Path) -> Result<(), BackupError> {
    fs::rename(from, to).map_err(io_error(to))?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error(folder))
}

/// Removes a database that was not finished, if there is one.
fn remove_database(path: &Path) -> Result<(), BackupError> {
    for suffix in ["", "-journal"].into_iter().chain(WAL_AND_SHM) {
        remove_if_there(&with_suffix(path, suffix))?;
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(path)(error)),
        _ => Ok(()),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { path: path.clone(), source }
}
