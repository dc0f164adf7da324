//! The catalogue and the handles agree.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use inventory_metrics::{CATALOGUE, Kind, Metric, Provenance, Values};
use metrics_util::{MetricKind, debugging::DebuggingRecorder};

use crate::fake_store::FakeStore;

#[test]
fn the_names_of_the_replaced_system_are_unchanged() {
    let expected = [
        ("inventory_components_created_total", "counter", "Total number of components created"),
        ("inventory_components_deleted_total", "counter", "Total number of components deleted"),
        ("inventory_components_total", "gauge", "Current total number of components in inventory"),
    ];
    for (name, kind, help) in expected {
        let metric = CATALOGUE.iter().find(|metric| metric.name == name).unwrap();
        assert_eq!((metric.kind.as_str(), metric.help), (kind, help));
        assert!(metric.labels.is_empty());
    }
}

#[test]
fn every_metric_has_a_name_of_its_own_that_says_its_kind_and_unit() {
    let names: BTreeSet<_> = CATALOGUE.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), CATALOGUE.len());
    for Metric { name, kind, unit, labels, help, .. } in CATALOGUE {
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        // The one exception, which is the contract: see docs/metrics.md.
        let is_total = name.ends_with("_total") && *name != "inventory_components_total";
        assert_eq!(*kind == Kind::Counter, is_total, "{name}");
        for base in ["seconds", "bytes"] {
            assert_eq!(name.trim_end_matches("_total").ends_with(base), *unit == base, "{name}");
        }
        assert!(!help.is_empty() && !help.contains('\n'), "{name}");
        if let Kind::Histogram(bounds) = kind {
            assert!(bounds.is_sorted_by(|a, b| a < b) && !bounds.is_empty(), "{name}");
        }
        for label in *labels {
            if let Values::OneOf(known) = label.values {
                assert!(known.is_sorted() || known.len() < 4, "{name}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_series_that_is_known_beforehand_is_there_from_the_first_scrape() {
    let world = Arc::new(FakeStore::new(16));
    let samples = world.start().scrape(None).await.unwrap();
    let scraped: BTreeSet<_> = samples.keys().map(|key| key.split('/').next().unwrap()).collect();
    // Recorded by the HTTP server and the exporter: the requests, and the figures of the process.
    let elsewhere = |metric: &&Metric| {
        metric.name.starts_with("process_")
            || metric.name.contains("http_")
            || matches!(metric.kind, Kind::Histogram(_))
    };
    let expected: BTreeSet<_> =
        CATALOGUE.iter().filter(|metric| !elsewhere(metric)).map(|metric| metric.name).collect();
    assert_eq!(scraped, expected);
    for (key, value) in &samples {
        let metric = CATALOGUE.iter().find(|metric| Some(metric.name) == key.split('/').next()).unwrap();
        assert!(metric.kind != Kind::Counter || value.abs() < 0.5, "{key} starts at {value}");
    }
}

#[test]
fn a_handle_is_bound_to_its_recorder_under_the_name_and_help_of_the_catalogue() {
    let recorder = DebuggingRecorder::new();
    for metric in CATALOGUE {
        metric.describe(&recorder);
        let values: Vec<_> = metric
            .labels
            .iter()
            .map(|label| match label.values {
                // The first may be the absence of the label.
                Values::OneOf(known) => known[known.len() - 1],
                Values::Described(_) => "x",
            })
            .collect();
        match metric.kind {
            Kind::Counter => metric.counter(&recorder, &values).increment(1),
            Kind::Gauge => metric.gauge(&recorder, &values).set(1.0),
            Kind::Histogram(_) => metric.histogram(&recorder, &values).record(1.0),
        }
    }
    let held = recorder.snapshotter().snapshot().into_vec();
    assert_eq!(held.len(), CATALOGUE.len());
    for ((key, _, help, _), metric) in held.iter().zip(CATALOGUE) {
        let kind = match metric.kind {
            Kind::Counter => MetricKind::Counter,
            Kind::Gauge => MetricKind::Gauge,
            Kind::Histogram(_) => MetricKind::Histogram,
        };
        assert_eq!((key.key().name(), key.kind()), (metric.name, kind));
        assert_eq!(help.as_deref(), Some(metric.help));
        let labels: Vec<_> = key.key().labels().map(metrics::Label::key).collect();
        assert_eq!(labels, metric.labels.iter().map(|label| label.name).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_read_from_the_database_is_a_gauge() {
    let mut database = CATALOGUE.iter().filter(|metric| metric.provenance == Provenance::Database);
    assert!(database.all(|metric| metric.kind == Kind::Gauge));
}

#[test]
fn every_method_that_a_route_declares_is_a_value_of_its_label() {
    let access = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/access.md");
    let access = std::fs::read_to_string(access).unwrap();
    let methods = access.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | `/"));
    let declared: Vec<&str> = methods.map(|(method, _)| method).collect();
    assert!(declared.len() > 50, "few routes: is docs/access.md read right?");
    let Values::OneOf(known) = inventory_metrics::HTTP_REQUEST_DURATION.labels[0].values else {
        panic!("methods are a closed set")
    };
    for method in declared {
        assert!(known.contains(&method), "{method}");
    }
}
