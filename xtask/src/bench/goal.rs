//! What is to be reached, and whether it was.

use std::fmt::Write as _;

use super::{
    admin,
    contestant::Contestant::{Peer, Service},
    database::Engine,
    report::Medians,
    sample::Sample,
    subscribers::Measured,
    workload::Workload,
};

/// How many times the peer's creates with 64 connections the service carries out on SQLite.
const CREATES_ON_SQLITE: f64 = 5.0;
/// The same on PostgreSQL.
const CREATES_ON_POSTGRES: f64 = 1.0;
/// By how much `/metrics/` may differ between a thousand rows and a million.
const METRICS_DIFFERENCE: f64 = 0.2;
/// What a scrape may cost, in µs of CPU.
const METRICS_CPU_US: f64 = 100.0;
/// The time from the start on an existing database to the first answer, in ms.
const FIRST_ANSWER_MS: f64 = 100.0;
/// The memory of a service that does nothing, in MB.
const IDLE_MB: f64 = 30.0;
const MB_PER_MIB: f64 = 1.048_576;
/// How many times as long as without them the slowest hundredth of the writes may take beside the worst
/// subscribers.
const P99_BESIDE_THE_WORST: f64 = 1.5;
/// How much more memory there may be beside them, in MB, however many events they are behind.
const MEMORY_BESIDE_THE_WORST_MB: f64 = 16.0;
/// How long a page of the admin may take at the 95th percentile, in ms.
const ADMIN_PAGE_MS: f64 = 100.0;
/// How large one may be.
const ADMIN_PAGE_KILOBYTES: f64 = 200.0;
/// How long deleting everything that matches may take, in seconds.
const ADMIN_DELETE_SECONDS: f64 = 5.0;

#[derive(Debug, Default)]
pub(super) struct Goals(Vec<Goal>);

#[derive(Debug)]
struct Goal {
    what: String,
    asked: String,
    found: f64,
    met: bool,
}

impl Goals {
    /// Those about which there are figures.
    pub(super) fn of(medians: &Medians, subscribers: &Measured, admin: &admin::Measured) -> Self {
        let mut goals = Self::default();
        for engine in medians.engines() {
            let figure = |workload, contestant, figure: fn(&Sample) -> f64| {
                medians.get(engine, workload, contestant).map(figure)
            };
            let cpu = |sample: &Sample| sample.cpu_us_per_request;
            let rate = |sample: &Sample| sample.requests_per_second;
            let ratio = |workload, of| Some(figure(workload, Service, of)? / figure(workload, Peer, of)?);
            for workload in [Workload::GetOne, Workload::List] {
                let what = format!("{} on {}: CPU × peer", workload.name(), engine.name());
                goals.at_most(what, 1.0, ratio(workload, cpu));
            }
            let creates = match engine {
                Engine::Sqlite => CREATES_ON_SQLITE,
                Engine::Postgres => CREATES_ON_POSTGRES,
            };
            let what = format!("create-64 on {}: requests/s × peer", engine.name());
            goals.at_least(what, creates, ratio(Workload::CreateTogether, rate));
            let (few, many) =
                (figure(Workload::MetricsFew, Service, cpu), figure(Workload::MetricsMany, Service, cpu));
            let difference = few.zip(many).map(|(few, many)| (many / few - 1.0).abs());
            let what = format!("/metrics/ on {}: difference in CPU between 1 k and 1 M rows", engine.name());
            goals.at_most(what, METRICS_DIFFERENCE, difference);
            let what = format!("/metrics/ on {}: µs of CPU", engine.name());
            goals.at_most(what, METRICS_CPU_US, few.into_iter().chain(many).reduce(f64::max));
            let worst = |of: fn(&Sample) -> f64| {
                Workload::ALL.iter().filter_map(|workload| figure(*workload, Service, of)).reduce(f64::max)
            };
            let what = format!("first answer on {}, the slowest median, in ms", engine.name());
            goals.at_most(what, FIRST_ANSWER_MS, worst(|sample| sample.first_answer_ms));
            let what = format!("idle memory on {}, the highest median, in MB", engine.name());
            goals.at_most(what, IDLE_MB, worst(|sample| sample.idle_mib).map(|mib| mib * MB_PER_MIB));
        }
        for engine in Engine::ALL {
            let what = format!("p99 of a write beside the worst subscribers on {} × without", engine.name());
            goals.at_most(what, P99_BESIDE_THE_WORST, subscribers.p99_ratio(engine));
            let what = format!("memory for the worst subscribers on {}, in MB", engine.name());
            let memory = subscribers.memory_mib(engine).map(|mib| mib * MB_PER_MIB);
            goals.at_most(what, MEMORY_BESIDE_THE_WORST_MB, memory);
        }
        for engine in admin.engines() {
            let what = format!("slowest page of the admin on {}, p95 in ms", engine.name());
            goals.at_most(what, ADMIN_PAGE_MS, admin.slowest_ms(engine));
            let what = format!("largest page of the admin on {}, in kB", engine.name());
            goals.at_most(what, ADMIN_PAGE_KILOBYTES, admin.largest_kilobytes(engine));
            let what = format!("delete of {} by a filter on {}, in s", admin::DELETED, engine.name());
            goals.at_most(what, ADMIN_DELETE_SECONDS, admin.delete_seconds(engine));
        }
        goals
    }

    fn at_most(&mut self, what: String, limit: f64, found: Option<f64>) {
        let goal = |found| Goal { what, asked: format!("≤ {limit}"), found, met: found <= limit };
        self.0.extend(found.map(goal));
    }

    fn at_least(&mut self, what: String, limit: f64, found: Option<f64>) {
        let goal = |found| Goal { what, asked: format!("≥ {limit}"), found, met: found >= limit };
        self.0.extend(found.map(goal));
    }

    pub(super) fn write(&self, text: &mut String) -> anyhow::Result<()> {
        writeln!(text, "### Goals\n\n| goal | asked | found | |\n|---|---|---|---|")?;
        for Goal { what, asked, found, met } in &self.0 {
            writeln!(text, "| {what} | {asked} | {found:.2} | {} |", if *met { "met" } else { "missed" })?;
        }
        writeln!(
            text,
            "\nAfter each load that creates, every answered create was found as a row and as an event, and \
             `inventory check` found the log gapless and in agreement with the rows; otherwise this report would \
             not be here."
        )?;
        Ok(())
    }
}
