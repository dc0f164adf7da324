//! What the tests of several crates share: the frames of the event stream and, for fault tests, the
//! acknowledged writes, the checker that compares them with the database, a reader of the event stream, a TCP
//! proxy that fails on demand, and a small disk that can be filled up.
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
