//! A histogram of the exporter, kept as counts.
//!
//! The histograms of `metrics-exporter-prometheus` keep each observation until they are read, and escape the
//! labels of a series again for each of its lines, which was half the cost of a scrape. Here each line is
//! rendered once, except for its number.

use std::{
    io::Write,
    sync::atomic::{AtomicU64, Ordering},
};

use metrics::{HistogramFn, Key};
use metrics_exporter_prometheus::{LabelSet, formatting::write_metric_line};

/// One series of a histogram.
pub(crate) struct Series {
    key: Key,
    bounds: &'static [f64],
    /// How many observations are in each bucket and not in the one before it; the last has no bound.
    counts: Box<[AtomicU64]>,
    /// The bits of the sum of all observations.
    sum: AtomicU64,
    /// The lines of the buckets without their numbers.
    bucket_lines: Box<[String]>,
    sum_line: String,
    count_line: String,
}

impl Series {
    /// The series with a key, and with buckets up to these bounds, which ascend.
    pub(crate) fn new(key: &Key, bounds: &'static [f64]) -> Self {
        #[expect(
            clippy::default_trait_access,
            reason = "its type is of a crate that this one does not depend on"
        )]
        let labels = LabelSet::from_key_and_global(key, &Default::default());
        let line = |suffix, bound: Option<&str>| {
            let mut line = String::new();
            let bound = bound.map(|bound| ("le", bound));
            write_metric_line(&mut line, key.name(), Some(suffix), &labels, bound, "", None);
            line.truncate(line.trim_end_matches('\n').len());
            line
        };
        let bounds_as_text = bounds.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
        Self {
            key: key.clone(),
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0.0_f64.to_bits()),
            bucket_lines: bounds_as_text.map(|bound| line("bucket", Some(&bound))).collect(),
            sum_line: line("sum", None),
            count_line: line("count", None),
        }
    }

    pub(crate) fn has_key(&self, key: &Key) -> bool {
        self.key == *key
    }

    /// Appends the series to a text: its buckets, each with those before it, its sum and its count.
    pub(crate) fn write(&self, text: &mut Vec<u8>) {
        let mut count = 0;
        // Writing to a vector does not fail.
        for (line, more) in self.bucket_lines.iter().zip(&self.counts) {
            count += more.load(Ordering::Relaxed);
            let _infallible = writeln!(text, "{line}{count}");
        }
        let sum = f64::from_bits(self.sum.load(Ordering::Relaxed));
        let _infallible = writeln!(text, "{}{sum}\n{}{count}", self.sum_line, self.count_line);
    }
}

impl HistogramFn for Series {
    fn record(&self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let add = |bits| Some((f64::from_bits(bits) + value).to_bits());
        // Fails only where the function has nothing to store.
        let _added = self.sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }
}

#[cfg(test)]
mod tests {
    use metrics::Label;

    use super::*;

    #[test]
    fn a_series_is_written_as_the_exporter_writes_it() {
        static BOUNDS: [f64; 3] = [0.00025, 1.0, 2.5];
        let key = Key::from_parts("seconds", vec![Label::new("route", "/a\"b"), Label::new("status", "200")]);
        let series = Series::new(&key, &BOUNDS);
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new();
        let recorder = recorder.set_buckets(&BOUNDS).unwrap().build_recorder();
        let metadata = metrics::Metadata::new("test", metrics::Level::INFO, None);
        let exporters = metrics::Recorder::register_histogram(&recorder, &key, &metadata);
        for value in [0.0, 0.00025, 0.0003, 1.0, 2.0, 2.5, 1e9] {
            series.record(value);
            exporters.record(value);
        }
        let mut text = Vec::new();
        series.write(&mut text);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(recorder.handle().render(), format!("# TYPE seconds histogram\n{text}\n"));
    }
}
