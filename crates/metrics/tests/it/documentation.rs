//! The reference in the repository is the one that the catalogue makes.

use std::path::Path;

use inventory_metrics::{CATALOGUE, documentation};

#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let written = std::fs::read_to_string(path).unwrap();
    assert!(written == documentation(), "docs/metrics.md is stale: run `cargo xtask metrics-docs`");
}

#[test]
fn the_reference_names_every_metric_with_its_help() {
    let page = documentation();
    for metric in CATALOGUE {
        assert!(page.contains(&format!("### `{}`\n\n{}", metric.name, metric.help)));
    }
}
