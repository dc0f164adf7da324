//! What the tests of several crates share: the frames of the event stream, and for fault tests what clients were told, the checker that holds it against the database, a reader of the event
//! stream, a TCP proxy that fails on demand, and a disk that runs full.
//!
//! A development dependency only. It talks to a service over HTTP and to its database through a shell, so nothing
//! that it checks comes from the code that it checks.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test that meets an error has failed"
)]

mod acknowledged;
mod checker;
mod disk;
mod frames;
mod proxy;
mod stream;

pub use acknowledged::Acknowledged;
pub use checker::{Checker, Endpoint};
pub use disk::SmallDisk;
pub use frames::{Frame, Frames};
pub use proxy::{Fault, Proxy};
pub use stream::StreamReader;
