//! Figures that others keep and that a scrape reads.

use inventory_core::Seq;

/// The build that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Build {
    /// Its version.
    pub version: &'static str,
    /// The commit that it was built from, where that is known.
    pub revision: Option<&'static str>,
}

/// One moment of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// The number of component rows.
    pub components: u64,
    /// The last event committed.
    pub head: Seq,
    /// A place after which, up to `head`, there is no event of this process. It may be `head` itself; the
    /// lower it is, the less a scrape waits for events of others, which change no counter.
    pub own: Seq,
}

/// Running figures of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readings {
    /// The writer.
    pub writer: Writer,
    /// Sign-ins refused.
    pub sign_ins_refused: u64,
    /// The connections for reads.
    pub readers: Pool,
    /// Whether the tailer has stopped because the log is broken.
    pub tailer_halted: bool,
    /// What the last audit of the count found: kept minus counted.
    pub count_drift: i64,
    /// When a backup was last made by `inventory backup`, in seconds since 1970; 0 if never.
    pub last_backup: u64,
    /// Event streams that clients have open.
    pub event_streams: u64,
}

/// The writer, since the start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Writer {
    /// Transactions committed.
    pub transactions: u64,
    /// Transactions rolled back and tried again.
    pub retries: u64,
    /// Writes carried out.
    pub done: u64,
    /// Writes refused because of what the rows are.
    pub refused: u64,
    /// Writes that failed because of the database.
    pub failed: u64,
    /// Writes that wait now.
    pub waiting: u64,
    /// Events committed.
    pub events: u64,
}

/// A pool of connections, now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pool {
    /// Connections that are open.
    pub open: u64,
    /// Those of them that nobody uses.
    pub idle: u64,
    /// Connections that may be open.
    pub max: u64,
}
