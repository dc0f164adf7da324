//! What the store has done, in numbers.

/// The store in figures, since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Transactions that the writer committed.
    pub transactions: u64,
    /// Transactions that the writer rolled back and tried again.
    pub retries: u64,
    /// Writes that were carried out.
    pub writes_done: u64,
    /// Writes that were refused: nothing was changed, because of what the rows were.
    pub writes_refused: u64,
    /// Writes that failed because of the database.
    pub writes_failed: u64,
    /// Writes that wait for the writer now.
    pub writes_waiting: u64,
    /// Events that this process committed.
    pub events_committed: u64,
    /// Sign-ins that were refused.
    pub sign_ins_refused: u64,
    /// Whether the tailer has stopped because the log is broken.
    pub tailer_halted: bool,
    /// The drift that the last audit of the count found.
    pub count_drift: i64,
    /// When a backup was last made by [`crate::backup()`], in seconds since 1970; 0 if never. Looked up each minute.
    pub last_backup: u64,
    /// Connections for reads that are open, and how many of them are idle.
    pub readers_open: u64,
    /// Connections for reads that are idle.
    pub readers_idle: u64,
    /// Connections for reads that may be open.
    pub readers_max: u64,
}
