//! Random faults under mixed writes of two processes, and the checker after each round. `cargo xtask faults` runs it for
//! longer, with another seed.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{PipeReader, pipe},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use fastrand::Rng;
use inventory_testing::{Acknowledged, Fault as NetworkFault, Proxy, SmallDisk, StreamReader};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::{
    database::TestDatabase,
    faults::{FIU, check, fiu, through_a_proxy},
    load::mixed_writes,
    server::{Server, TOKEN},
};

/// How long the campaign on one database lasts, in seconds, unless this variable says otherwise.
const SECONDS: u64 = 30;
const SECONDS_VARIABLE: &str = "INVENTORY_FAULTS_SECONDS";
/// The seed of the first round. Each further round has the next one.
const SEED: u64 = 1;
const SEED_VARIABLE: &str = "INVENTORY_FAULTS_SEED";
/// How many processes work on the database.
const PROCESSES: usize = 2;
/// How many clients each process has.
const CLIENTS: u64 = 3;
/// The size of the disk of a SQLite database, in bytes, and what is left on it when it is full.
const DISK_BYTES: u64 = 8 << 30;
const FULL_BYTES: u64 = 256 * 1024;
/// The library that shifts a process's clock.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    DiskFull,
    IoError(&'static str),
    Kill,
    Stop,
    LogClosed,
    ClockJump,
    Cut,
    Strand,
    Blackhole,
    Delay,
    Terminate,
}

const ON_SQLITE: [Fault; 7] = [
    Fault::DiskFull,
    Fault::IoError("posix/io/rw/pwrite"),
    Fault::IoError("posix/io/sync/fsync"),
    Fault::Kill,
    Fault::Stop,
    Fault::LogClosed,
    Fault::ClockJump,
];
const ON_POSTGRES: [Fault; 9] = [
    Fault::Cut,
    Fault::Strand,
    Fault::Blackhole,
    Fault::Delay,
    Fault::Terminate,
    Fault::Kill,
    Fault::Stop,
    Fault::LogClosed,
    Fault::ClockJump,
];

/// A process under test.
struct Process {
    server: Server,
    /// The other end of its log, which nobody reads. It runs full, and is closed by a fault.
    log: Option<PipeReader>,
}

/// Everything that a fault can touch.
struct Stand {
    database: TestDatabase,
    /// The URL by which the processes connect.
    url: String,
    proxy: Option<Proxy>,
    disk: Option<SmallDisk>,
    /// Where libfiu and libfaketime are told what to do.
    control: TempDir,
    processes: Vec<Process>,
}

fn variable(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| value.parse().unwrap())
}

fn missing() -> Option<&'static str> {
    let lacks = if !Path::new(FIU).exists() {
        "fiu-utils"
    } else if !Path::new(FAKETIME).exists() {
        "faketime"
    } else {
        return None;
    };
    assert!(env::var_os("CI").is_none(), "{lacks} is needed where CI is set");
    eprintln!("SKIPPED: there is no {lacks}");
    Some(lacks)
}

impl Stand {
    fn start(&self) -> Process {
        let (reader, writer) = pipe().unwrap();
        let clock = self.clock();
        fs::write(&clock, "+0\n").unwrap();
        let variables = [("INVENTORY_BOOTSTRAP_TOKEN", TOKEN), ("INVENTORY_DATABASE_URL", &*self.url)];
        let mut command = Server::command(&self.database, &variables);
        command
            .env("FIU_CTRL_FIFO", self.control.path().join("fiu"))
            .env("FAKETIME_TIMESTAMP_FILE", clock)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1")
            .env("LD_PRELOAD", format!("{FIU}/fiu_run_preload.so {FIU}/fiu_posix_preload.so {FAKETIME}"));
        Process { server: Server::spawn_with_stderr(command, writer), log: Some(reader) }
    }

    fn clock(&self) -> PathBuf {
        self.control.path().join("clock")
    }

    /// Does harm for a while, and ends it. A process that was killed is started again.
    async fn harm(&mut self, fault: Fault, random: &mut Rng) {
        let while_it_lasts = Duration::from_millis(random.u64(50..400));
        let victim = random.usize(0..PROCESSES);
        match fault {
            Fault::DiskFull => {
                let disk = self.disk.as_ref().unwrap();
                disk.leave(FULL_BYTES);
                tokio::time::sleep(while_it_lasts).await;
                disk.resize(DISK_BYTES);
            }
            Fault::IoError(call) => {
                let probability = random.u32(1..=100);
                let enable =
                    format!("enable_random name={call},probability={}", f64::from(probability) / 100.0);
                let server = &self.processes[victim].server;
                fiu(server, self.control.path(), &enable);
                tokio::time::sleep(while_it_lasts).await;
                fiu(server, self.control.path(), &format!("disable name={call}"));
            }
            Fault::Kill => {
                let process = self.processes.remove(victim);
                process.server.kill();
                tokio::time::sleep(while_it_lasts).await;
                let started = self.start();
                self.processes.insert(victim, started);
            }
            Fault::Stop => {
                self.processes[victim].server.signal("STOP");
                tokio::time::sleep(while_it_lasts).await;
                self.processes[victim].server.signal("CONT");
            }
            Fault::LogClosed => self.processes[victim].log = None,
            Fault::ClockJump => {
                let jump = ["+3600", "-3600", "+90d", "-90d"][random.usize(0..4)];
                fs::write(self.clock(), format!("{jump}\n")).unwrap();
                tokio::time::sleep(while_it_lasts).await;
                fs::write(self.clock(), "+0\n").unwrap();
            }
            Fault::Terminate => {
                self.database.shell(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                      WHERE datname = current_database() AND application_name = 'inventory'",
                );
            }
            Fault::Strand => self.proxy.as_ref().unwrap().strand_connections(),
            Fault::Cut | Fault::Blackhole | Fault::Delay => {
                let proxy = self.proxy.as_ref().unwrap();
                proxy.set(match fault {
                    Fault::Cut => NetworkFault::Cut,
                    Fault::Blackhole => NetworkFault::Blackhole,
                    _ => NetworkFault::Delay(Duration::from_millis(random.u64(5..50))),
                });
                tokio::time::sleep(while_it_lasts * 5).await;
                proxy.set(NetworkFault::None);
            }
        }
    }

    /// Rounds of mixed writes, of which each meets a fault, until the time is over.
    async fn campaign(mut self, faults: &[Fault]) {
        let end = Instant::now() + Duration::from_secs(variable(SECONDS_VARIABLE, SECONDS));
        let first_seed = variable(SEED_VARIABLE, SEED);
        self.processes = (0..PROCESSES).map(|_| self.start()).collect();
        let followed = Arc::new(Mutex::new(self.processes[0].server.base.clone()));
        let stream = StreamReader::start(crate::server::client(), Arc::clone(&followed), TOKEN);
        let mut acknowledged = Acknowledged::default();
        let mut rounds = BTreeMap::<Fault, u32>::new();
        let mut seed = first_seed;
        while Instant::now() < end {
            let mut random = Rng::with_seed(seed);
            let fault = faults[random.usize(0..faults.len())];
            // Tells where the campaign was if it fails.
            eprintln!("seed {seed}: {fault:?}");
            let stop = Arc::<AtomicBool>::default();
            let mut clients = JoinSet::new();
            for process in &self.processes {
                for client in 0..CLIENTS {
                    let api = process.server.api.clone();
                    clients.spawn(mixed_writes(api, seed * 1_000 + client, Arc::clone(&stop)));
                }
            }
            tokio::time::sleep(Duration::from_millis(random.u64(20..150))).await;
            self.harm(fault, &mut random).await;
            stop.store(true, Ordering::Relaxed);
            for told in clients.join_all().await {
                acknowledged.merge(told);
            }
            self.processes[0].server.base.clone_into(&mut followed.lock().unwrap());
            let servers: Vec<_> = self.processes.iter().map(|process| &process.server).collect();
            check(&self.database, &servers, &mut acknowledged, Some(&stream)).await;
            *rounds.entry(fault).or_default() += 1;
            seed += 1;
        }
        drop(stream);
        for process in self.processes {
            process.server.stop();
        }
        let total: u32 = rounds.values().sum();
        eprintln!("{total} rounds, {} components in the end: {rounds:?}", acknowledged.count());
        assert!(total > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_faults_lose_nothing_on_sqlite() {
    if missing().is_some() {
        return;
    }
    let Some(disk) = SmallDisk::mount(DISK_BYTES) else { return };
    let database = TestDatabase::sqlite_in(disk.path());
    let (url, control) = (database.url(), TempDir::new().unwrap());
    let stand = Stand { database, url, proxy: None, disk: Some(disk), control, processes: Vec::new() };
    stand.campaign(&ON_SQLITE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_faults_lose_nothing_on_postgres() {
    if missing().is_some() {
        return;
    }
    let Some(database) = TestDatabase::postgres() else { return };
    let (proxy, url) = through_a_proxy(&database).await;
    let control = TempDir::new().unwrap();
    let stand = Stand { database, url, proxy: Some(proxy), disk: None, control, processes: Vec::new() };
    stand.campaign(&ON_POSTGRES).await;
}
