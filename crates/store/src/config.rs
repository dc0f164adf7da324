//! How a store is opened.

use std::time::Duration;

use inventory_core::Clock;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Config {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
    /// Whether to bring the schema up to date. Otherwise an outdated schema is an error.
    pub migrate: bool,
    /// How many connections read at once, and how many more are kept for the most frequent reads.
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
