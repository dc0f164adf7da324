//! For tests of subscribers: a log in memory.

mod memory_log;

pub use memory_log::{MemoryLog, Recorder};
