//! The assembled inventory service: command line, configuration, routes, subscribers, listeners and TLS, startup with
//! the first user and token, and shutdown. The other crates implement what it assembles.

mod bootstrap;
mod cli;
mod config;
mod connections;
mod database;
mod descriptors;
mod environment;
mod listen;
mod logging;
mod outcome;
mod reload;
mod router;
mod secret;
mod serve;
mod state;
mod subscribers;
mod tls;
mod write_deadline;

pub use clap;
pub use cli::main;
pub use inventory_exporter::MetricsAccess;
pub use router::{App, Options, StartError, openapi};
pub use subscribers::Subscribers;
