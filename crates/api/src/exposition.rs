//! The Prometheus exporter of the `metrics` project, and its text in a stable order.
//!
//! The exporter writes families and series in the order of a hash map, another at each scrape, leaves out what
//! has no series yet, and has no counters of floats. So its text is taken apart by families and put together
//! in the order of the catalogue's names.
//!
//! Its escaping gives some two label values one text (`a\b` and `a\\b`), so labels take their values from the
//! closed sets of the catalogue only.

use std::{
    collections::HashMap,
    fmt::Write,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use inventory_metrics::{CATALOGUE, Kind, Metric};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

/// How often the exporter sorts the observations of histograms into their buckets. It keeps each one until
/// then, also when nobody scrapes.
pub(crate) const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Holds the metrics of the catalogue and writes them as text.
pub(crate) struct Exposition {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    /// The catalogue in the order of names.
    metrics: Vec<&'static Metric>,
    /// The bits of the samples that are floats whatever the kind of their metric.
    floats: Mutex<HashMap<&'static str, Arc<AtomicU64>>>,
}

impl std::fmt::Debug for Exposition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exposition").finish_non_exhaustive()
    }
}

impl Exposition {
    /// With every family of the catalogue, and no series yet. Fails if a histogram of the catalogue has no
    /// buckets.
    pub(crate) fn new() -> Result<Self, BuildError> {
        let mut builder = PrometheusBuilder::new();
        for metric in CATALOGUE {
            if let Kind::Histogram(bounds) = metric.kind {
                builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds)?;
            }
        }
        let recorder = builder.build_recorder();
        let mut metrics: Vec<_> = CATALOGUE.iter().collect();
        metrics.sort_by_key(|metric| metric.name);
        Ok(Self { handle: recorder.handle(), recorder, metrics, floats: Mutex::default() })
    }

    /// Registers a sample without labels that is a float whatever the kind of its metric. (A counter of the
    /// facade holds whole numbers only.)
    pub(crate) fn float(&self, metric: &'static Metric) -> Gauge {
        let mut floats = self.floats.lock().unwrap_or_else(PoisonError::into_inner);
        Gauge::from_arc(Arc::clone(floats.entry(metric.name).or_default()))
    }

    /// Sorts observations into their buckets, so that they do not pile up between scrapes.
    pub(crate) fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    /// The metrics as text.
    pub(crate) fn render(&self) -> String {
        let exported = self.handle.render();
        let families: HashMap<&str, &str> = exported.split("\n\n").filter_map(family).collect();
        let floats = self.floats.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::with_capacity(2 * exported.len());
        for metric in &self.metrics {
            let Metric { name, kind, help, .. } = metric;
            let separator = if text.is_empty() { "" } else { "\n" };
            // Writing to a string does not fail, here and below.
            let _infallible =
                writeln!(text, "{separator}# HELP {name} {help}\n# TYPE {name} {}", kind.as_str());
            if let Some(bits) = floats.get(name) {
                let _infallible = writeln!(text, "{name} {}", f64::from_bits(bits.load(Ordering::Relaxed)));
            }
            let Some(samples) = families.get(name) else { continue };
            let mut series: Vec<&str> = match kind {
                Kind::Histogram(_) => histograms(name, samples),
                Kind::Counter | Kind::Gauge => samples.lines().collect(),
            };
            series.sort_unstable();
            for lines in series {
                text.push_str(lines);
                text.push('\n');
            }
        }
        text
    }
}

/// The name of a family and its samples, from the text of one.
fn family(text: &str) -> Option<(&str, &str)> {
    let (help, rest) = text.trim_start_matches('\n').split_once('\n')?;
    let (name, _) = help.strip_prefix("# HELP ")?.split_once(' ')?;
    let (_type, samples) = rest.split_once('\n')?;
    Some((name, samples))
}

/// The series of a histogram. The lines of one stay together, in the order of its buckets.
fn histograms<'a>(name: &str, samples: &'a str) -> Vec<&'a str> {
    let last = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with("_count"));
    let mut series = Vec::new();
    let (mut start, mut end) = (0, 0);
    for line in samples.split_inclusive('\n') {
        end += line.len();
        if last(line) {
            series.extend(samples.get(start..end).map(str::trim_end));
            start = end;
        }
    }
    series
}

impl Recorder for Exposition {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.recorder.describe_counter(name, unit, help);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.recorder.describe_gauge(name, unit, help);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.recorder.describe_histogram(name, unit, help);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        self.recorder.register_counter(key, metadata)
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        self.recorder.register_gauge(key, metadata)
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        self.recorder.register_histogram(key, metadata)
    }
}

#[cfg(test)]
mod tests {
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
                        inventory_metrics::Values::Said(_) => series,
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

    #[test]
    fn the_order_is_that_of_the_names_at_every_scrape() {
        let exposition = Exposition::new().unwrap();
        fill(&exposition);
        let text = exposition.render();
        for _ in 0..20 {
            assert_eq!(exposition.render(), text);
        }
        let names: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        assert!(names.is_sorted() && names.len() == CATALOGUE.len());
    }

    #[test]
    fn no_line_of_the_exporter_is_lost() {
        let exposition = Exposition::new().unwrap();
        fill(&exposition);
        let sorted = |text: &str| {
            let mut lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
            lines.sort_unstable();
            lines
        };
        assert_eq!(sorted(&exposition.render()), sorted(&exposition.handle.render()));
    }

    #[test]
    fn a_counter_may_be_a_float() {
        let exposition = Exposition::new().unwrap();
        let metric = CATALOGUE.iter().find(|metric| metric.name == "process_cpu_seconds_total").unwrap();
        exposition.float(metric).set(1.25);
        let text = exposition.render();
        assert!(text.contains("# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 1.25\n"));
    }

    #[test]
    fn a_family_without_series_is_there() {
        let text = Exposition::new().unwrap().render();
        assert!(text.contains("# TYPE http_server_request_duration_seconds histogram\n"), "{text}");
    }
}
