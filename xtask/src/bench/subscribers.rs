//! Writes beside the worst subscribers, against writes without any: an example of the store measures both.

use std::{collections::BTreeMap, fmt, fmt::Write as _, fs, path::Path};

use anyhow::{Context, bail};
use serde_json::Value;

use super::{
    database::{self, Engine},
    sample::median,
};
use crate::{chore, repository, requirement};

/// Its name among the workloads.
pub(super) const NAME: &str = "subscribers";
const DATABASE: &str = "inventory_bench_subscribers";

/// What is beside the writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Beside {
    Nobody,
    /// One that sleeps a second an event, one that panics on every third, and one that never returns.
    TheWorst,
}

impl Beside {
    pub(super) const ALL: [Self; 2] = [Self::Nobody, Self::TheWorst];

    fn argument(self) -> &'static str {
        match self {
            Self::Nobody => "none",
            Self::TheWorst => "bad",
        }
    }
}

/// A measurement, or the medians of several.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    pub(super) writes_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    warm_mib: f64,
    loaded_mib: f64,
    caught_up_mib: f64,
    /// How many events the slow one was behind when the load was over.
    slow_behind: f64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0}/s, p50 {:.2} ms, p99 {:.2} ms, {:.1} → {:.1} MiB, the slow one {} events behind",
            self.writes_per_second,
            self.p50_ms,
            self.p99_ms,
            self.warm_mib,
            self.loaded_mib,
            self.slow_behind
        )
    }
}

/// Builds the example, as a user would: the profile `release`.
pub(super) fn build() -> anyhow::Result<()> {
    let package = ["--package", "inventory-store", "--example", NAME];
    chore::run(repository::cargo(&["build", "--release", "--locked"]).args(package))
}

/// Measures on an empty database. It fails unless the slow and the panicking one end exact and in order.
pub(super) fn measure(
    engine: Engine,
    beside: Beside,
    seconds: u32,
    folder: &Path,
) -> anyhow::Result<Figures> {
    let url = empty_database(engine, folder)?;
    let mut command = std::process::Command::new(repository::target().join("release/examples").join(NAME));
    let printed = chore::output(command.args([&url, beside.argument(), &seconds.to_string()]))?;
    clean_up(engine, folder)?;
    let printed: Value = serde_json::from_str(&printed)?;
    let figure = |name| printed.get(name).and_then(Value::as_f64).with_context(|| format!("no {name}"));
    Ok(Figures {
        writes_per_second: figure("writes")? / f64::from(seconds),
        p50_ms: figure("p50_us")? / 1e3,
        p99_ms: figure("p99_us")? / 1e3,
        warm_mib: figure("warm_kib")? / 1024.0,
        loaded_mib: figure("loaded_kib")? / 1024.0,
        caught_up_mib: figure("caught_up_kib")? / 1024.0,
        slow_behind: figure("slow_behind")?,
    })
}

fn empty_database(engine: Engine, folder: &Path) -> anyhow::Result<String> {
    clean_up(engine, folder)?;
    match engine {
        Engine::Sqlite => Ok(format!("sqlite:{}", folder.join(DATABASE).display())),
        Engine::Postgres => {
            database::psql("postgres", &format!("CREATE DATABASE {DATABASE}"))?;
            Ok(format!("{}/{DATABASE}?sslmode=disable", requirement::postgres_url()))
        }
    }
}

fn clean_up(engine: Engine, folder: &Path) -> anyhow::Result<()> {
    match engine {
        Engine::Sqlite => {
            for suffix in ["", "-wal", "-shm"] {
                let file = folder.join(format!("{DATABASE}{suffix}"));
                if file.is_file() {
                    fs::remove_file(file)?;
                }
            }
            Ok(())
        }
        Engine::Postgres => {
            database::psql("postgres", &format!("DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"))
        }
    }
}

/// All measurements.
#[derive(Debug, Default)]
pub(super) struct Measured(BTreeMap<(Engine, Beside), Vec<Figures>>);

impl Measured {
    pub(super) fn add(&mut self, engine: Engine, beside: Beside, figures: Figures) {
        self.0.entry((engine, beside)).or_default().push(figures);
    }

    /// The median of each figure by itself.
    fn median(&self, engine: Engine, beside: Beside, of: fn(&Figures) -> f64) -> Option<f64> {
        Some(median(self.0.get(&(engine, beside))?.iter().map(of).collect()))
    }

    /// How many times as long as without them the slowest hundredth of the writes takes beside the worst.
    pub(super) fn p99_ratio(&self, engine: Engine) -> Option<f64> {
        let p99 = |beside| self.median(engine, beside, |figures| figures.p99_ms);
        Some(p99(Beside::TheWorst)? / p99(Beside::Nobody)?)
    }

    /// How much more memory there is after the load beside the worst, in MiB.
    pub(super) fn memory_mib(&self, engine: Engine) -> Option<f64> {
        let loaded = |beside| self.median(engine, beside, |figures| figures.loaded_mib);
        Some(loaded(Beside::TheWorst)? - loaded(Beside::Nobody)?)
    }

    pub(super) fn write(&self, text: &mut String) -> anyhow::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        writeln!(
            text,
            "### Beside the worst subscribers\n\nWrites past HTTP, 64 at once. One subscriber sleeps 1 s an event, \
             one panics on every third, one never returns. After the load the slow one was let go; it and the \
             panicking one ended exact and in order.\n\n\
             | database | beside | writes/s | p50 ms | p99 ms | MiB warm | MiB after load | MiB caught up | \
             slow one behind |\n|---|---|---|---|---|---|---|---|---|"
        )?;
        for &(engine, beside) in self.0.keys() {
            let of = |figure| self.median(engine, beside, figure);
            let (Some(rate), Some(p50), Some(p99), Some(warm), Some(loaded), Some(caught_up), Some(behind)) = (
                of(|figures| figures.writes_per_second),
                of(|figures| figures.p50_ms),
                of(|figures| figures.p99_ms),
                of(|figures| figures.warm_mib),
                of(|figures| figures.loaded_mib),
                of(|figures| figures.caught_up_mib),
                of(|figures| figures.slow_behind),
            ) else {
                bail!("{} has no figures", engine.name())
            };
            let (engine, beside) = (engine.name(), beside.argument());
            writeln!(
                text,
                "| {engine} | {beside} | {rate:.0} | {p50:.2} | {p99:.2} | {warm:.1} | {loaded:.1} | \
                 {caught_up:.1} | {behind:.0} |"
            )?;
        }
        Ok(writeln!(text)?)
    }
}
