//! The store: everything that can be asked about rows and events, and everything that can be done to them.

use std::{sync::Arc, time::Duration};

use inventory_core::{Actor, Bus, Clock, Component, ComponentId, Origin, Seq, Sku, Token};

use crate::{
    check::CheckReport,
    error::{OpenError, ReadError},
    query::{Page, Query},
    write::{Write, WriteError, Written},
};

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Config {
    /// `sqlite:PATH`, `sqlite::memory:` or `postgres://…`.
    pub url: String,
    /// Whether to bring the schema up to date. Otherwise an outdated schema is an error.
    pub migrate: bool,
    /// How many connections read at once.
    pub readers: u32,
    /// How often the log is asked for what other processes committed.
    pub poll: Duration,
    /// How many events the bus holds.
    pub bus_capacity: usize,
    /// What time it is.
    pub clock: Clock,
}

impl Config {
    /// The defaults, for a database.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            migrate: true,
            readers: 4,
            poll: Duration::from_millis(100),
            bus_capacity: inventory_core::DEFAULT_CAPACITY,
            clock: Clock::system(),
        }
    }
}

/// The number of components and the last event, as one moment of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// The number of component rows, as the database itself keeps it.
    pub components: u64,
    /// The last event committed.
    pub head: Seq,
}

/// The count that the database keeps beside what is really there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountAudit {
    /// The count that is kept.
    pub kept: i64,
    /// `COUNT(*)` at the same moment.
    pub counted: i64,
}

impl CountAudit {
    /// 0 when healthy.
    pub fn drift(self) -> i64 {
        self.kept - self.counted
    }
}

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
    /// Whether the tailer has stopped because the log is broken.
    pub tailer_halted: bool,
    /// The drift that the last audit of the count found.
    pub count_drift: i64,
    /// Connections for reads that are open, and how many of them are idle.
    pub readers_open: u64,
    /// Connections for reads that are idle.
    pub readers_idle: u64,
    /// Connections for reads that may be open.
    pub readers_max: u64,
}

/// A database of components, opened. Clones are the same store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<()>,
}

#[expect(clippy::unimplemented, reason = "skeleton")]
impl Store {
    /// The longest name of a token, in bytes.
    pub const MAX_TOKEN_NAME_BYTES: usize = 64;

    /// Opens a database, brings its schema up to date, and starts the writer and the tailer.
    pub async fn open(_config: Config) -> Result<Self, OpenError> {
        unimplemented!()
    }

    /// Where subscribers attach.
    pub fn bus(&self) -> &Bus {
        unimplemented!()
    }

    /// This process, as its events name it.
    pub fn origin(&self) -> Origin {
        unimplemented!()
    }

    /// The identity of the log: another after the database was made anew.
    pub fn epoch(&self) -> &str {
        unimplemented!()
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        unimplemented!()
    }

    /// One component.
    pub async fn component(&self, _id: ComponentId) -> Result<Option<Component>, ReadError> {
        unimplemented!()
    }

    /// A page of components.
    pub async fn components(&self, _query: &Query) -> Result<Page, ReadError> {
        unimplemented!()
    }

    /// The components that have one of these skus, in no particular order.
    pub async fn components_by_sku(&self, _skus: &[Sku]) -> Result<Vec<Component>, ReadError> {
        unimplemented!()
    }

    /// The number of components and the last event, as one moment. What other processes committed up to it
    /// is on its way to the bus when this returns.
    pub async fn snapshot(&self) -> Result<Snapshot, ReadError> {
        unimplemented!()
    }

    /// Carries out a write. Once this has been polled to the point where the writer has it, the write is
    /// carried out whether or not the answer is awaited.
    pub async fn write(&self, _write: Write) -> Result<Written, WriteError> {
        unimplemented!()
    }

    /// The token that has this secret and is not revoked.
    pub async fn authenticate(&self, _secret: &str) -> Result<Option<Arc<Token>>, ReadError> {
        unimplemented!()
    }

    /// Makes a token with a random secret, which is returned and kept nowhere.
    pub async fn create_token(&self, _name: &str, _actor: Actor) -> Result<(Arc<Token>, String), WriteError> {
        unimplemented!()
    }

    /// Makes sure that there is a token of this name with this secret, replacing another of the name.
    pub async fn ensure_token(
        &self,
        _name: &str,
        _secret: &str,
        _actor: Actor,
    ) -> Result<Arc<Token>, WriteError> {
        unimplemented!()
    }

    /// Revokes the token of this name.
    pub async fn revoke_token(&self, _name: &str, _actor: Actor) -> Result<Arc<Token>, WriteError> {
        unimplemented!()
    }

    /// All tokens, also revoked ones, oldest first.
    pub async fn tokens(&self) -> Result<Vec<Token>, ReadError> {
        unimplemented!()
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), ReadError> {
        unimplemented!()
    }

    /// The store in figures.
    pub fn stats(&self) -> Stats {
        unimplemented!()
    }

    /// Compares the kept count with what is really there, at a cost that grows with the table.
    pub async fn audit_count(&self) -> Result<CountAudit, ReadError> {
        unimplemented!()
    }

    /// Sets the kept count to what is really there, and returns what it was.
    pub async fn repair_count(&self) -> Result<CountAudit, ReadError> {
        unimplemented!()
    }

    /// Verifies every invariant of the database.
    pub async fn check(&self) -> Result<CheckReport, ReadError> {
        unimplemented!()
    }

    /// Finishes the writes that wait, publishes their events, closes the bus, waits for the subscribers to
    /// finish, and closes the connections.
    pub async fn close(&self) {
        unimplemented!()
    }
}
