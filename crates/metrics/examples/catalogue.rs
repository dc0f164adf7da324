//! Writes the reference of the metrics to standard output: `cargo xtask metrics-docs` keeps it in
//! `docs/metrics.md`.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    io::stdout().write_all(inventory_metrics::documentation().as_bytes())
}
