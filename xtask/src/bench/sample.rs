//! What one measurement found.

use std::{fmt, time::Duration};

use super::{contestant::Contestant, database::Engine, load::Load, workload::Workload};

/// What is measured: one workload, on one contestant, with one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell {
    pub(super) engine: Engine,
    pub(super) workload: Workload,
    pub(super) contestant: Contestant,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.workload.name(), self.contestant.name())?;
        match self.contestant {
            Contestant::Constant => Ok(()),
            _ => write!(f, " on {}", self.engine.name()),
        }
    }
}

/// A measurement, or the medians of several.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) requests_per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// Of the server's process alone: what PostgreSQL uses is not in it.
    pub(super) cpu_us_per_request: f64,
    pub(super) idle_mib: f64,
    pub(super) loaded_mib: f64,
    /// From the start of the process on a database that exists.
    pub(super) first_answer_ms: f64,
}

impl Sample {
    #[expect(clippy::cast_precision_loss, reason = "figures of a benchmark are far below 2^52")]
    pub(super) fn new(
        load: &Load,
        cpu: Duration,
        idle_kib: u64,
        loaded_kib: u64,
        first_answer: Duration,
    ) -> Self {
        let requests = load.requests.max(1) as f64;
        Self {
            requests_per_second: load.requests as f64 / load.seconds,
            p50_ms: load.p50_us as f64 / 1e3,
            p99_ms: load.p99_us as f64 / 1e3,
            cpu_us_per_request: cpu.as_secs_f64() * 1e6 / requests,
            idle_mib: idle_kib as f64 / 1024.0,
            loaded_mib: loaded_kib as f64 / 1024.0,
            first_answer_ms: first_answer.as_secs_f64() * 1e3,
        }
    }

    /// The median of each figure by itself.
    pub(super) fn median(samples: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| median(samples.iter().map(figure).collect());
        Self {
            requests_per_second: of(|sample| sample.requests_per_second),
            p50_ms: of(|sample| sample.p50_ms),
            p99_ms: of(|sample| sample.p99_ms),
            cpu_us_per_request: of(|sample| sample.cpu_us_per_request),
            idle_mib: of(|sample| sample.idle_mib),
            loaded_mib: of(|sample| sample.loaded_mib),
            first_answer_ms: of(|sample| sample.first_answer_ms),
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0}/s, p50 {:.2} ms, p99 {:.2} ms, {:.0} µs CPU a request, {:.1} → {:.1} MiB, first answer {:.0} ms",
            self.requests_per_second,
            self.p50_ms,
            self.p99_ms,
            self.cpu_us_per_request,
            self.idle_mib,
            self.loaded_mib,
            self.first_answer_ms
        )
    }
}

/// The middle of the figures; of an even number, the upper one of the two.
pub(super) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
