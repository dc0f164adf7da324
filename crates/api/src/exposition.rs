//! The recorder behind the metrics, and its text: the Prometheus exposition format 0.0.4.
//!
//! Every family of the catalogue is there from the start, in the order of names, with its series in the order
//! of their labels. All text but the numbers is made once, when a series is registered, so that a scrape only
//! writes numbers. A histogram counts in its buckets at once: nothing is buffered, and nothing needs upkeep.
//!
//! The `metrics-exporter-prometheus` crate does not do here: its order differs from scrape to scrape, its
//! escaping gives two label values one text, it keeps every observation until it is drained, and a scrape with
//! a dozen routes costs about twenty times as much. A test holds the two texts equal line by line.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use inventory_metrics::{CATALOGUE, Kind, Metric};
use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// Holds the metrics of the catalogue and writes them as text.
#[derive(Debug)]
pub(crate) struct Exposition {
    /// In the order of names.
    families: Vec<Family>,
}

#[derive(Debug)]
struct Family {
    metric: &'static Metric,
    /// The lines that say what it means and of what type it is.
    head: String,
    /// By the text of their labels.
    series: Mutex<BTreeMap<String, Series>>,
}

#[derive(Debug)]
enum Series {
    Integer { line: String, value: Arc<AtomicU64> },
    Float { line: String, bits: Arc<AtomicU64> },
    Histogram { lines: HistogramLines, buckets: Arc<Buckets> },
}

/// The lines of a histogram up to their numbers.
#[derive(Debug)]
struct HistogramLines {
    buckets: Vec<String>,
    sum: String,
    count: String,
}

impl Exposition {
    /// With every family of the catalogue, and no series yet.
    pub(crate) fn new() -> Self {
        let mut families: Vec<Family> = CATALOGUE.iter().map(Family::new).collect();
        families.sort_by_key(|family| family.metric.name);
        Self { families }
    }

    /// Registers a sample without labels that is a float whatever the kind of its metric. (A counter of the
    /// facade holds whole numbers only.)
    pub(crate) fn float(&self, metric: &Metric) -> Gauge {
        self.family(metric.name).map_or_else(Gauge::noop, |family| family.gauge(&Key::from_name(metric.name)))
    }

    /// The metrics as text.
    pub(crate) fn render(&self) -> String {
        let mut text = String::with_capacity(self.rendered_length());
        for family in &self.families {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&family.head);
            for series in family.series().values() {
                series.render(&mut text);
            }
        }
        text
    }

    /// About how long the text is.
    fn rendered_length(&self) -> usize {
        const NUMBER: usize = 12;
        self.families
            .iter()
            .map(|family| {
                let series: usize = family.series().values().map(|series| series.text_length(NUMBER)).sum();
                family.head.len() + 1 + series
            })
            .sum()
    }

    fn family(&self, name: &str) -> Option<&Family> {
        let place = self.families.binary_search_by_key(&name, |family| family.metric.name);
        let family = place.ok().and_then(|place| self.families.get(place));
        if family.is_none() {
            tracing::error!(name, "a metric that is not in the catalogue was registered; it is not kept");
        }
        family
    }
}

impl Recorder for Exposition {
    // The catalogue has said it already.
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.family(key.name()).map_or_else(Counter::noop, |family| family.counter(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.family(key.name()).map_or_else(Gauge::noop, |family| family.gauge(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.family(key.name()).map_or_else(Histogram::noop, |family| family.histogram(key))
    }
}

impl Family {
    fn new(metric: &'static Metric) -> Self {
        let Metric { name, kind, help, .. } = metric;
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        let head = format!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.as_str());
        Self { metric, head, series: Mutex::default() }
    }

    fn series(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Series>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counter(&self, key: &Key) -> Counter {
        let labels = labels(key);
        let mut series = self.series();
        let line = line(self.metric.name, "", &labels, "");
        let one = series.entry(labels).or_insert_with(|| Series::Integer { line, value: Arc::default() });
        match one {
            Series::Integer { value, .. } => Counter::from_arc(Arc::clone(value)),
            Series::Float { .. } | Series::Histogram { .. } => Counter::noop(),
        }
    }

    fn gauge(&self, key: &Key) -> Gauge {
        let labels = labels(key);
        let mut series = self.series();
        let line = line(self.metric.name, "", &labels, "");
        let one = series.entry(labels).or_insert_with(|| Series::Float { line, bits: Arc::default() });
        match one {
            Series::Float { bits, .. } => Gauge::from_arc(Arc::clone(bits)),
            Series::Integer { .. } | Series::Histogram { .. } => Gauge::noop(),
        }
    }

    fn histogram(&self, key: &Key) -> Histogram {
        let Kind::Histogram(bounds) = self.metric.kind else { return Histogram::noop() };
        let labels = labels(key);
        let mut series = self.series();
        let lines = HistogramLines::new(self.metric.name, &labels, bounds);
        let one = series
            .entry(labels)
            .or_insert_with(|| Series::Histogram { lines, buckets: Arc::new(Buckets::new(bounds)) });
        match one {
            Series::Histogram { buckets, .. } => Histogram::from_arc(Arc::clone(buckets)),
            Series::Integer { .. } | Series::Float { .. } => Histogram::noop(),
        }
    }
}

impl Series {
    fn text_length(&self, number: usize) -> usize {
        match self {
            Self::Integer { line, .. } | Self::Float { line, .. } => line.len() + number,
            Self::Histogram { lines: HistogramLines { buckets, sum, count }, .. } => {
                let buckets: usize = buckets.iter().map(|line| line.len() + number).sum();
                buckets + sum.len() + count.len() + 2 * number
            }
        }
    }

    fn render(&self, text: &mut String) {
        match self {
            Self::Integer { line, value } => push_integer(text, line, value.load(Ordering::Relaxed)),
            Self::Float { line, bits } => {
                push_float(text, line, f64::from_bits(bits.load(Ordering::Relaxed)));
            }
            Self::Histogram { lines, buckets } => {
                let mut count = 0;
                for (line, bucket) in lines.buckets.iter().zip(&buckets.counts) {
                    count += bucket.load(Ordering::Relaxed);
                    push_integer(text, line, count);
                }
                push_float(text, &lines.sum, f64::from_bits(buckets.sum.load(Ordering::Relaxed)));
                push_integer(text, &lines.count, count);
            }
        }
    }
}

impl HistogramLines {
    fn new(name: &str, labels: &str, bounds: &[f64]) -> Self {
        let bounds = bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        Self {
            buckets: bounds.map(|bound| line(name, "_bucket", labels, &format!("le=\"{bound}\""))).collect(),
            sum: line(name, "_sum", labels, ""),
            count: line(name, "_count", labels, ""),
        }
    }
}

/// A histogram.
#[derive(Debug)]
struct Buckets {
    bounds: &'static [f64],
    /// How many observations fell into each, not cumulated; one more than there are bounds.
    counts: Vec<AtomicU64>,
    /// The bits of a float.
    sum: AtomicU64,
}

impl Buckets {
    fn new(bounds: &'static [f64]) -> Self {
        let counts = std::iter::repeat_with(AtomicU64::default).take(bounds.len() + 1).collect();
        Self { bounds, counts, sum: AtomicU64::default() }
    }
}

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let add = |bits| Some((f64::from_bits(bits) + value).to_bits());
        // Always adds: the closure never declines.
        let _before = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }
}

/// The labels of a series as text, without braces.
fn labels(key: &Key) -> String {
    let label = |label: &metrics::Label| {
        let value = label.value().replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
        format!("{}=\"{value}\"", label.key())
    };
    key.labels().map(label).collect::<Vec<_>>().join(",")
}

/// A line up to its number.
fn line(name: &str, suffix: &str, labels: &str, last_label: &str) -> String {
    let comma = if labels.is_empty() || last_label.is_empty() { "" } else { "," };
    if labels.is_empty() && last_label.is_empty() {
        format!("{name}{suffix} ")
    } else {
        format!("{name}{suffix}{{{labels}{comma}{last_label}}} ")
    }
}

fn push_integer(text: &mut String, line: &str, value: u64) {
    text.push_str(line);
    // Writing to a string does not fail.
    let _infallible = writeln!(text, "{value}");
}

fn push_float(text: &mut String, line: &str, value: f64) {
    text.push_str(line);
    let _infallible = if value == f64::INFINITY {
        writeln!(text, "+Inf")
    } else if value == f64::NEG_INFINITY {
        writeln!(text, "-Inf")
    } else {
        // A whole number is written without a point, and what is not a number as NaN.
        writeln!(text, "{value}")
    };
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

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
    fn the_text_is_that_of_the_exporter_of_the_metrics_project_in_a_stable_order() {
        let exposition = Exposition::new();
        fill(&exposition);
        let mut builder = PrometheusBuilder::new();
        for metric in CATALOGUE {
            if let Kind::Histogram(bounds) = metric.kind {
                builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.into()), bounds).unwrap();
            }
        }
        let theirs = builder.build_recorder();
        fill(&theirs);
        let sorted = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort_unstable();
            lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>()
        };
        let ours = exposition.render();
        assert_eq!(sorted(&ours), sorted(&theirs.handle().render()));
        assert_eq!(ours, exposition.render());
        let names: Vec<_> = ours.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        assert!(names.is_sorted() && names.len() == CATALOGUE.len());
    }

    #[test]
    fn no_two_label_values_have_one_text() {
        let values = ["a", "a\\b", r"a\b", r"a\\b", "a\"b", "a\\\"b", "a\nb", r"a\nb"];
        let texts: std::collections::BTreeSet<_> = values
            .iter()
            .map(|value| labels(&Key::from_parts("x", vec![metrics::Label::new("l", value.to_string())])))
            .collect();
        let distinct: std::collections::BTreeSet<_> = values.into_iter().collect();
        assert_eq!(texts.len(), distinct.len());
        assert!(
            texts.contains(r#"l="a\"b""#) && texts.contains(r#"l="a\nb""#) && texts.contains(r#"l="a\\nb""#)
        );
    }

    #[test]
    fn a_handle_that_is_registered_again_is_the_same_series() {
        let exposition = Exposition::new();
        let metric = CATALOGUE.iter().find(|metric| metric.kind == Kind::Counter).unwrap();
        metric.counter(&exposition, &[]).increment(1);
        metric.counter(&exposition, &[]).increment(1);
        assert!(exposition.render().contains(&format!("\n{} 2\n", metric.name)));
    }

    #[test]
    fn what_is_not_in_the_catalogue_is_not_kept() {
        let exposition = Exposition::new();
        let before = exposition.render();
        let metadata = Metadata::new("test", metrics::Level::INFO, None);
        exposition.register_counter(&Key::from_name("unheard_of_total"), &metadata).increment(1);
        assert_eq!(exposition.render(), before);
    }

    #[test]
    fn infinity_is_written_as_prometheus_reads_it() {
        let mut text = String::new();
        push_float(&mut text, "x ", f64::INFINITY);
        push_float(&mut text, "x ", f64::NEG_INFINITY);
        assert_eq!(text, "x +Inf\nx -Inf\n");
    }
}
