//! What `deploy/prometheus` asks for exists, and promtool agrees with it.

use std::{
    collections::BTreeSet,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use inventory_metrics::{CATALOGUE, Kind};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/prometheus")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(directory().join(file)).unwrap()
}

/// Every name that samples in a scrape have.
fn sample_names() -> BTreeSet<String> {
    let names = CATALOGUE.iter().flat_map(|metric| match metric.kind {
        Kind::Counter | Kind::Gauge => vec![metric.name.to_owned()],
        Kind::Histogram(_) => ["bucket", "sum", "count"].map(|of| format!("{}_{of}", metric.name)).into(),
    });
    names.collect()
}

/// Every word that can only be the name of a metric.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let prefixes = ["inventory_", "http_server_", "process_"];
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-' && c != '.')
        .filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix)))
        .collect()
}

#[test]
fn every_metric_that_the_rules_name_is_in_the_catalogue() {
    let known = sample_names();
    for file in ["inventory.rules.yml", "inventory.rules.test.yml"] {
        let text = read(file);
        let named = metrics_in(&text);
        assert!(named.len() > 5, "{file} names few metrics: is it read right?");
        let unknown: Vec<_> = named.into_iter().filter(|name| !known.contains(*name)).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
}

#[test]
fn every_alert_is_tested() {
    let (rules, tests) = (read("inventory.rules.yml"), read("inventory.rules.test.yml"));
    for line in rules.lines() {
        if let Some(alert) = line.trim().strip_prefix("- alert: ") {
            assert!(tests.contains(&format!("alertname: {alert}\n")), "{alert} has no test");
        }
    }
}

#[test]
fn the_scrape_job_is_that_of_the_replaced_system() {
    let job = [
        "scrape_configs:",
        "  - job_name: 'inventory'",
        "    static_configs:",
        "      - targets: ['inventory-service:8000']",
        "    metrics_path: '/metrics/'",
        "    scrape_interval: 15s",
    ];
    assert!(read("prometheus.yml").contains(&job.join("\n")));
}

#[test]
fn promtool_accepts_the_configuration_and_the_rules() {
    for arguments in [
        ["check", "config", "prometheus.yml"],
        ["check", "config", "prometheus.own-listener.yml"],
        ["check", "rules", "inventory.rules.yml"],
        ["test", "rules", "inventory.rules.test.yml"],
    ] {
        let output = match Command::new("promtool").args(arguments).current_dir(directory()).output() {
            Ok(output) => output,
            Err(error) => return skip(&format!("promtool cannot be run: {error}")),
        };
        assert!(
            output.status.success(),
            "promtool {arguments:?}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
    }
}

/// Says why a test is not run. Where everything is to be run, that is a failure.
fn skip(reason: &str) {
    // Past the capture of the test harness, so that it can be read.
    let mut stderr = std::io::stderr();
    writeln!(stderr, "SKIPPED: {reason}").unwrap();
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "with CI=true nothing may be skipped");
}
