//! What a metric is, and the only way to a handle on one.

use metrics::{Counter, Gauge, Histogram, Key, Level, Metadata, Recorder};

/// What may be done with the samples of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows, from zero at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets with these upper bounds, which ascend. A last one without bound follows.
    Histogram(&'static [f64]),
}

impl Kind {
    /// The word in a `# TYPE` line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// Where the samples of a metric come from. It says how to aggregate over replicas, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// Counted from the committed events of this process, and of no other.
    Events,
    /// Observed in this process as it works.
    Process,
    /// Read at each scrape from the running figures of this process.
    Figures,
    /// Read at each scrape from the database, which all replicas share.
    Database,
}

impl Provenance {
    /// As the reference says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Events => "counted from the events that this process committed",
            Self::Process => "observed by this process as it works",
            Self::Figures => "read from this process at the scrape",
            Self::Database => "read from the database at the scrape",
        }
    }
}

/// What the values of a label can be. None ever comes from a user: the number of series stays bounded, and
/// no value needs escaping, in which exporters differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// One of these. An empty one means that the label is absent.
    OneOf(&'static [&'static str]),
    /// One of a set that the program text closes, in words.
    Described(&'static str),
}

/// A label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// What its values can be.
    pub values: Values,
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name as scraped, complete with unit and suffix.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// What one of it is: a base unit, or the plural of what is counted.
    pub unit: &'static str,
    /// Its labels, in the order in which values are given.
    pub labels: &'static [Label],
    /// Where its samples come from.
    pub provenance: Provenance,
    /// What it means, in one line.
    pub help: &'static str,
}

const METADATA: Metadata<'static> = Metadata::new("inventory", Level::INFO, None);

impl Metric {
    /// Tells the recorder what the metric means.
    pub fn describe(&self, recorder: &dyn Recorder) {
        let (name, help) = (self.name.into(), self.help.into());
        match self.kind {
            Kind::Counter => recorder.describe_counter(name, None, help),
            Kind::Gauge => recorder.describe_gauge(name, None, help),
            Kind::Histogram(_) => recorder.describe_histogram(name, None, help),
        }
    }

    /// Registers the counter with these values of its labels. It is there from now on, at zero.
    pub fn counter(&self, recorder: &dyn Recorder, values: &[&str]) -> Counter {
        debug_assert_eq!(self.kind, Kind::Counter, "{}", self.name);
        recorder.register_counter(&self.key(values), &METADATA)
    }

    /// Registers the gauge with these values of its labels. It is there from now on, at zero.
    pub fn gauge(&self, recorder: &dyn Recorder, values: &[&str]) -> Gauge {
        debug_assert_eq!(self.kind, Kind::Gauge, "{}", self.name);
        recorder.register_gauge(&self.key(values), &METADATA)
    }

    /// Registers the histogram with these values of its labels. It is there from now on, empty.
    pub fn histogram(&self, recorder: &dyn Recorder, values: &[&str]) -> Histogram {
        debug_assert!(matches!(self.kind, Kind::Histogram(_)), "{}", self.name);
        recorder.register_histogram(&self.key(values), &METADATA)
    }

    fn key(&self, values: &[&str]) -> Key {
        debug_assert_eq!(self.labels.len(), values.len(), "{}", self.name);
        let labels = self.labels.iter().zip(values).map(|(label, value)| {
            if let Values::OneOf(known) = label.values {
                debug_assert!(known.contains(value), "{}: {value:?} is not a {}", self.name, label.name);
            }
            // Prometheus does not tell an empty label from an absent one.
            (!value.is_empty()).then(|| metrics::Label::new(label.name, (*value).to_owned()))
        });
        Key::from_parts(self.name, labels.flatten().collect::<Vec<_>>())
    }
}
