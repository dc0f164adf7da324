//! The Prometheus exporter of the `metrics` project, and what it leaves out.
//!
//! The exporter writes no family that has no series yet, has no counters of floats, and its histograms are slow. Those
//! are appended to its text. Families and series come in any order, another at each scrape, which the format allows.
//!
//! Its escaping gives some two label values one text (`a\b` and `a\\b`), so labels take their values from the
//! closed sets of the catalogue only.

use std::{
    io::Write,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use inventory_metrics::{CATALOGUE, Kind, Metric};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::histogram::Series;

/// Holds the metrics of the catalogue and writes them as text.
pub(crate) struct Exposition {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    /// The families that the exporter does not write.
    others: Mutex<Vec<Family>>,
}

/// A family that the exporter does not write.
struct Family {
    metric: &'static Metric,
    /// The bits of its only sample, if it has one that is a float.
    sample: Option<Arc<AtomicU64>>,
    /// Its series, if it is a histogram.
    histograms: Vec<Arc<Series>>,
}

impl std::fmt::Debug for Exposition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exposition").finish_non_exhaustive()
    }
}

impl Exposition {
    /// With every family of the catalogue, and no series yet.
    pub(crate) fn new() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let others = CATALOGUE.iter().map(|metric| Family { metric, sample: None, histograms: Vec::new() });
        Self { handle: recorder.handle(), recorder, others: Mutex::new(others.collect()) }
    }

    /// Registers a sample without labels that is a float whatever the kind of its metric. (A counter of the
    /// facade holds whole numbers only.)
    pub(crate) fn float(&self, metric: &'static Metric) -> Gauge {
        let mut others = self.others();
        let family = others.iter_mut().find(|family| family.metric.name == metric.name);
        let Some(family) = family else { return Gauge::noop() };
        Gauge::from_arc(Arc::clone(family.sample.get_or_insert_default()))
    }

    /// The metrics as text.
    pub(crate) fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        // Writing to a vector does not fail, here and below.
        let _infallible = self.handle.render_to_write(&mut text);
        for Family { metric: Metric { name, kind, help, .. }, sample, histograms } in &*self.others() {
            let _infallible = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {}", kind.as_str());
            if let Some(bits) = sample {
                let _infallible = writeln!(text, "{name} {}", f64::from_bits(bits.load(Ordering::Relaxed)));
            }
            for series in histograms {
                series.write(&mut text);
            }
            text.push(b'\n');
        }
        // An empty line is between families, and none is behind the last.
        text.pop();
        text
    }

    fn others(&self) -> MutexGuard<'_, Vec<Family>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a family to the exporter, which has a series of it from now on.
    fn leave(&self, key: &Key) {
        self.others().retain(|family| family.metric.name != key.name());
    }
}

impl Recorder for Exposition {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.recorder.describe_counter(name, unit, help);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.recorder.describe_gauge(name, unit, help);
    }

    fn describe_histogram(&self, _name: KeyName, _unit: Option<Unit>, _help: SharedString) {}

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.leave(key);
        self.recorder.register_counter(key, metadata)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.leave(key);
        self.recorder.register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, _metadata: &Metadata<'_>) -> Histogram {
        let mut others = self.others();
        let family = others.iter_mut().find(|family| family.metric.name == key.name());
        let Some(Family { metric: Metric { kind: Kind::Histogram(bounds), .. }, histograms, .. }) = family
        else {
            return Histogram::noop();
        };
        if let Some(series) = histograms.iter().find(|series| series.has_key(key)) {
            return Histogram::from_arc(Arc::clone(series));
        }
        let series = Arc::new(Series::new(key, bounds));
        histograms.push(Arc::clone(&series));
        Histogram::from_arc(series)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Something of every metric, written to a recorder.
    fn fill(recorder: &dyn Recorder) {
        for (index, metric) in CATALOGUE.iter().enumerate() {
            metric.describe(recorder);
            for series in ["a", "b"] {
                let values: Vec<_> = metric
                    .labels
                    .iter()
                    .map(|label| match label.values {
                        inventory_metrics::Values::OneOf(known) if series == "a" => known[0],
                        inventory_metrics::Values::OneOf(known) => known[known.len() - 1],
                        inventory_metrics::Values::Described(_) => series,
                    })
                    .collect();
                match metric.kind {
                    Kind::Counter => metric.counter(recorder, &values).increment(index as u64),
                    Kind::Gauge => metric.gauge(recorder, &values).set([37.5, f64::NAN, -3.0][index % 3]),
                    Kind::Histogram(bounds) => {
                        let histogram = metric.histogram(recorder, &values);
                        for value in [0.0, bounds[0], bounds[1] * 1.01, 1e9] {
                            histogram.record(value);
                        }
                    }
                }
            }
        }
    }

    fn text(exposition: &Exposition) -> String {
        String::from_utf8(exposition.render()).unwrap()
    }

    #[test]
    fn every_family_is_there_once_with_all_that_the_exporter_has_of_it() {
        let exposition = Exposition::new();
        let families = |text: &str| {
            let mut names: Vec<_> =
                text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).map(str::to_owned).collect();
            names.sort_unstable();
            names
        };
        let empty = families(&text(&exposition));
        assert_eq!(empty.len(), CATALOGUE.len());
        assert!(empty.contains(&"http_server_request_duration_seconds histogram".to_owned()));
        fill(&exposition);
        let full = text(&exposition);
        assert_eq!(families(&full), empty);
        let lines: HashSet<_> = full.lines().collect();
        let exporters = exposition.handle.render();
        assert!(exporters.lines().all(|line| lines.contains(line)), "{exporters}");
        let histograms = CATALOGUE.iter().filter(|metric| matches!(metric.kind, Kind::Histogram(_)));
        for metric in histograms {
            let count = format!("{}_count", metric.name);
            let series = full.lines().filter(|line| line.starts_with(&count)).count();
            assert_eq!(series, if metric.labels.is_empty() { 1 } else { 2 }, "{count}");
        }
    }

    #[test]
    fn a_counter_may_be_a_float() {
        let exposition = Exposition::new();
        let metric = CATALOGUE.iter().find(|metric| metric.name == "process_cpu_seconds_total").unwrap();
        exposition.float(metric).set(1.25);
        let text = text(&exposition);
        assert!(text.contains("# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 1.25\n"));
        assert_eq!(text.matches("# TYPE process_cpu_seconds_total ").count(), 1);
    }
}
