//! The service beside a hand-written peer and a constant, interleaved in one run.

mod admin;
mod contestant;
mod database;
mod disk;
mod goal;
mod load;
mod report;
mod sample;
mod script;
mod subscribers;
mod usage;
mod workload;

use std::{fs, thread, time::Duration};

use anyhow::{Context, ensure};

use self::{
    contestant::{Binaries, Contestant},
    database::{Database, Engine},
    report::Report,
    sample::{Cell, Sample},
    subscribers::Beside,
    workload::Workload,
};
use crate::{
    chore, http, repository, requirement,
    service::{self, Running},
};

/// How long a server rests after its first answer before its memory is read.
const SETTLE: Duration = Duration::from_millis(500);
/// How long each load runs before it is measured, in seconds.
const WARM_UP_SECONDS: u32 = 1;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often everything is measured. The medians are reported.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long each load is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Only workloads whose name contains this. May be given several times.
    #[arg(long)]
    only: Vec<String>,
    /// Only this database.
    #[arg(long, value_enum)]
    database: Option<Engine>,
    /// Use the programs as an earlier run built them.
    #[arg(long)]
    no_build: bool,
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.contains(only.as_str()))
    }

    fn engines(&self) -> impl Iterator<Item = Engine> {
        Engine::ALL.into_iter().filter(|engine| self.database.is_none_or(|only| only == *engine))
    }
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    for program in ["wrk", "sqlite3", "psql"] {
        ensure!(requirement::has_program(program), "there is no {program}, which the benchmark needs");
    }
    let cells = cells(options);
    let subscribers = options.wants(subscribers::NAME);
    let admin = options.wants(admin::NAME);
    ensure!(
        subscribers || admin || !cells.is_empty(),
        "no workload has such a name; there are {}, {}, {}",
        Workload::names(),
        subscribers::NAME,
        admin::NAME
    );
    let binaries = Binaries::new();
    if !options.no_build {
        if admin || !cells.is_empty() {
            contestant::build()?;
        }
        if subscribers {
            subscribers::build()?;
        }
    }
    let folder = repository::target().join("bench/data");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut originals: Vec<Database> = Vec::new();
    for database in cells.iter().map(|cell| Database::of(*cell, &folder)) {
        if !originals.iter().any(|original| original.shares_original(&database)) {
            database.prepare(&binaries)?;
            originals.push(database);
        }
    }
    let mut report = Report::default();
    for round in 1..=options.rounds {
        report.fdatasync(disk::fdatasync_rate(&folder)?);
        for cell in &cells {
            let sample = measure(*cell, options.seconds, &binaries, &Database::of(*cell, &folder))
                .with_context(|| format!("{cell} failed"))?;
            eprintln!("round {round} of {}: {cell}: {sample}", options.rounds);
            report.add(*cell, sample);
        }
        for engine in options.engines().filter(|_| subscribers) {
            for beside in Beside::ALL {
                let figures = subscribers::measure(engine, beside, options.seconds, &folder)?;
                eprintln!("round {round} of {}: {beside:?} on {}: {figures}", options.rounds, engine.name());
                report.subscribers.add(engine, beside, figures);
            }
        }
        for engine in options.engines().filter(|_| admin) {
            report.admin.measure(engine, options.seconds, &binaries, &folder)?;
        }
    }
    for database in &originals {
        database.clean_up()?;
    }
    report.print(options)
}

/// What is measured in each round: the contestants of one workload follow each other, so that what else the
/// machine does meets them alike.
fn cells(options: &Options) -> Vec<Cell> {
    let mut cells = Vec::new();
    for workload in Workload::ALL.into_iter().filter(|workload| options.wants(workload.name())) {
        for engine in options.engines() {
            for contestant in [Contestant::Service, Contestant::Peer] {
                cells.push(Cell { engine, workload, contestant });
            }
            if engine == Engine::Postgres {
                cells.push(Cell { engine, workload, contestant: Contestant::ServiceByUrl });
            }
        }
        // It has no database; one of the two stands for none.
        let engine = options.database.unwrap_or(Engine::Sqlite);
        cells.push(Cell { workload, contestant: Contestant::Constant, engine });
    }
    cells
}

fn measure(cell: Cell, seconds: u32, binaries: &Binaries, database: &Database) -> anyhow::Result<Sample> {
    database.reset()?;
    let address = service::free_address()?;
    let log = database.log();
    let mut command = cell.contestant.command(binaries, &database.url(), address);
    let server = Running::start(&mut command, address, &log)?;
    thread::sleep(SETTLE);
    let idle_kib = usage::resident_kib(server.pid())?;
    let script = database.folder().join("load.lua");
    fs::write(&script, cell.workload.script(cell.contestant, &server)?)?;
    let before = counts(cell, &server)?;
    let connections = cell.workload.connections();
    let warm_up = load::run(&script, address, connections, WARM_UP_SECONDS)?;
    let cpu_before = usage::cpu(server.pid())?;
    let load = load::run(&script, address, connections, seconds)?;
    let cpu = usage::cpu(server.pid())?.saturating_sub(cpu_before);
    let loaded_kib = usage::resident_kib(server.pid())?;
    if let Some(per_request) = cell.workload.creates() {
        let answered = (warm_up.requests + load.requests) * per_request;
        // At the end of a load wrk hangs up on at most one request a connection, of which it knows nothing.
        let unheard = u64::from(connections) * 2 * per_request;
        verify(cell, before, counts(cell, &server)?, answered, unheard)?;
    }
    let first_answer = server.first_answer;
    server.stop()?;
    if cell.workload.creates().is_some() && cell.contestant.is_service() {
        // Reads the whole log: gapless, and each row as its last event says.
        let mut check = service::check(&binaries.service, &database.url());
        chore::output(&mut check).context("inventory check found something")?;
    }
    Ok(Sample::new(&load, cpu, idle_kib, loaded_kib, first_answer))
}

/// Rows and, where there are events, components created, as the server's metrics say.
#[derive(Clone, Copy)]
struct Counts {
    rows: u64,
    created: Option<u64>,
}

fn counts(cell: Cell, server: &Running) -> anyhow::Result<Option<Counts>> {
    if cell.workload.creates().is_none() || cell.contestant == Contestant::Constant {
        return Ok(None);
    }
    let metrics = server.get("/metrics/")?;
    let created = match cell.contestant {
        Contestant::Service | Contestant::ServiceByUrl => {
            Some(http::sample(&metrics, "inventory_components_created_total")?)
        }
        _ => None,
    };
    Ok(Some(Counts { rows: http::sample(&metrics, "inventory_components_total")?, created }))
}

/// Every create that was answered is a row and an event, and there is none that was not asked for.
fn verify(
    cell: Cell,
    before: Option<Counts>,
    after: Option<Counts>,
    answered: u64,
    unheard: u64,
) -> anyhow::Result<()> {
    let (Some(before), Some(after)) = (before, after) else { return Ok(()) };
    let rows = after.rows - before.rows;
    ensure!(
        (answered..=answered + unheard).contains(&rows),
        "{cell}: {answered} creates were answered and {rows} rows were made"
    );
    if let (Some(before), Some(after)) = (before.created, after.created) {
        ensure!(rows == after - before, "{cell}: {rows} rows were made with {} events", after - before);
    }
    Ok(())
}
