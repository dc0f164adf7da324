//! The figures as Markdown, and which of the goals they reach.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::{self, Write as _},
};

use super::{
    Options, admin,
    contestant::Contestant,
    database::Engine,
    goal::Goals,
    sample::{Cell, Sample, median},
    subscribers::Measured,
    workload::Workload,
};

/// Everything that was measured.
#[derive(Debug, Default)]
pub(super) struct Report {
    samples: BTreeMap<Cell, Vec<Sample>>,
    fdatasync: Vec<f64>,
    pub(super) subscribers: Measured,
    pub(super) admin: admin::Measured,
}

impl Report {
    pub(super) fn add(&mut self, cell: Cell, sample: Sample) {
        self.samples.entry(cell).or_default().push(sample);
    }

    pub(super) fn fdatasync(&mut self, rate: f64) {
        self.fdatasync.push(rate);
    }

    /// Prints all of it to the standard output.
    pub(super) fn print(&self, options: &Options) -> anyhow::Result<()> {
        let medians = Medians(self.samples.iter().map(|(cell, of)| (*cell, Sample::median(of))).collect());
        let mut text = String::new();
        writeln!(
            text,
            "Medians of {} interleaved rounds of {} s. CPU is that of the server's process alone: what \
             PostgreSQL uses is not in it. Memory is what is resident.\n",
            options.rounds, options.seconds
        )?;
        let (slowest, fastest) = self
            .fdatasync
            .iter()
            .fold((f64::MAX, f64::MIN), |(slowest, fastest), rate| (rate.min(slowest), rate.max(fastest)));
        writeln!(
            text,
            "fdatasync of 4 KiB appends: {:.0}/s ({slowest:.0} to {fastest:.0}). Creates on SQLite are durable \
             (synchronous=FULL) and depend on it.\n",
            median(self.fdatasync.clone())
        )?;
        for engine in medians.engines() {
            medians.work(engine, &mut text)?;
            medians.memory(engine, &mut text)?;
        }
        self.subscribers.write(&mut text)?;
        self.admin.write(&mut text)?;
        Goals::of(&medians, &self.subscribers, &self.admin).write(&mut text)?;
        io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }
}

/// The median of each cell.
#[derive(Debug)]
pub(super) struct Medians(BTreeMap<Cell, Sample>);

impl Medians {
    pub(super) fn get(&self, engine: Engine, workload: Workload, contestant: Contestant) -> Option<&Sample> {
        match contestant {
            Contestant::Constant => {
                let mut cells = self.0.iter();
                let (_, sample) = cells
                    .find(|(cell, _)| cell.workload == workload && cell.contestant == Contestant::Constant)?;
                Some(sample)
            }
            contestant => self.0.get(&Cell { engine, workload, contestant }),
        }
    }

    pub(super) fn engines(&self) -> BTreeSet<Engine> {
        let cells = self.0.keys().filter(|cell| cell.contestant != Contestant::Constant);
        cells.map(|cell| cell.engine).collect()
    }

    fn work(&self, engine: Engine, text: &mut String) -> anyhow::Result<()> {
        writeln!(text, "### {}\n", engine.name())?;
        writeln!(text, "| work | | requests/s | × peer | p50 ms | p99 ms | CPU µs/request | × peer |")?;
        writeln!(text, "|---|---|---|---|---|---|---|---|")?;
        for workload in Workload::ALL {
            let peer = self.get(engine, workload, Contestant::Peer);
            let times = |figure: fn(&Sample) -> f64, sample: &Sample| {
                peer.map_or(String::new(), |peer| format!("{:.2}", figure(sample) / figure(peer)))
            };
            for contestant in Contestant::ALL {
                let Some(sample) = self.get(engine, workload, contestant) else { continue };
                writeln!(
                    text,
                    "| {} | {} | {:.0} | {} | {:.2} | {:.2} | {:.0} | {} |",
                    if contestant == Contestant::Service { workload.title() } else { "" },
                    contestant.name(),
                    sample.requests_per_second,
                    times(|sample| sample.requests_per_second, sample),
                    sample.p50_ms,
                    sample.p99_ms,
                    sample.cpu_us_per_request,
                    times(|sample| sample.cpu_us_per_request, sample),
                )?;
            }
        }
        Ok(writeln!(text)?)
    }

    fn memory(&self, engine: Engine, text: &mut String) -> anyhow::Result<()> {
        writeln!(text, "| work | | MiB idle | MiB after load | first answer ms |")?;
        writeln!(text, "|---|---|---|---|---|")?;
        for workload in Workload::ALL {
            for contestant in Contestant::ALL.into_iter().filter(|one| *one != Contestant::Constant) {
                let Some(sample) = self.get(engine, workload, contestant) else { continue };
                writeln!(
                    text,
                    "| {} | {} | {:.1} | {:.1} | {:.1} |",
                    if contestant == Contestant::Service { workload.title() } else { "" },
                    contestant.name(),
                    sample.idle_mib,
                    sample.loaded_mib,
                    sample.first_answer_ms,
                )?;
            }
        }
        Ok(writeln!(text)?)
    }
}
