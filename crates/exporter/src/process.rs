//! The figures of this process that the operating system keeps, under the names that every Prometheus client
//! uses for them. Linux only; elsewhere they are absent.

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt, MetadataExt},
};

use inventory_metrics::{
    PROCESS_CPU_SECONDS, PROCESS_MAX_FDS, PROCESS_OPEN_FDS, PROCESS_RESIDENT_MEMORY, PROCESS_START_TIME,
    PROCESS_THREADS, PROCESS_VIRTUAL_MEMORY,
};
use metrics::Gauge;

use crate::exposition::Exposition;

/// Where the process finds itself.
const STAT: &str = "/proc/self/stat";
const OPEN_FILES: &str = "/proc/self/fd";

/// Handles on the figures, and what does not change while the process runs.
#[derive(Debug)]
pub(crate) struct Process {
    system: System,
    /// Kept open: the kernel regenerates the content each time that it is read from the start.
    stat: File,
    cpu_seconds: Gauge,
    open_fds: Gauge,
    resident_memory: Gauge,
    threads: Gauge,
    virtual_memory: Gauge,
}

/// The units in which the kernel counts.
#[derive(Debug, Clone, Copy, PartialEq)]
struct System {
    ticks_per_second: f64,
    page_bytes: f64,
}

/// The fields of `/proc/self/stat` that are used, by proc(5).
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stat {
    cpu_ticks: f64,
    threads: f64,
    start_ticks: f64,
    virtual_bytes: f64,
    resident_pages: f64,
}

impl Process {
    /// Registers the figures, where the operating system has them.
    pub(crate) fn register(exposition: &Exposition) -> Option<Self> {
        let system = System::read()?;
        let file = File::open(STAT).ok()?;
        let stat = Stat::read(&file)?;
        let born = boot_time()? + stat.start_ticks / system.ticks_per_second;
        exposition.float(&PROCESS_START_TIME).set(born);
        exposition.float(&PROCESS_MAX_FDS).set(max_open_files()?);
        let process = Self {
            system,
            stat: file,
            cpu_seconds: exposition.float(&PROCESS_CPU_SECONDS),
            open_fds: exposition.float(&PROCESS_OPEN_FDS),
            resident_memory: exposition.float(&PROCESS_RESIDENT_MEMORY),
            threads: exposition.float(&PROCESS_THREADS),
            virtual_memory: exposition.float(&PROCESS_VIRTUAL_MEMORY),
        };
        process.read();
        Some(process)
    }

    /// Reads the figures.
    pub(crate) fn read(&self) {
        if let Some(stat) = Stat::read(&self.stat) {
            self.cpu_seconds.set(stat.cpu_ticks / self.system.ticks_per_second);
            self.threads.set(stat.threads);
            self.virtual_memory.set(stat.virtual_bytes);
            self.resident_memory.set(stat.resident_pages * self.system.page_bytes);
        }
        if let Some(open) = open_files() {
            self.open_fds.set(open);
        }
    }
}

impl System {
    /// From the vector that the kernel hands to each process: pairs of a key and a value, in machine words.
    fn read() -> Option<Self> {
        const PAGE_SIZE: usize = 6;
        const TICKS_PER_SECOND: usize = 17;
        let vector = fs::read("/proc/self/auxv").ok()?;
        let words: Vec<usize> = vector
            .chunks_exact(size_of::<usize>())
            .filter_map(|word| word.try_into().ok().map(usize::from_ne_bytes))
            .collect();
        let value = |key| {
            let pair = words.chunks_exact(2).find(|pair| pair.first() == Some(&key))?;
            u32::try_from(*pair.get(1)?).ok().map(f64::from)
        };
        Some(Self { ticks_per_second: value(TICKS_PER_SECOND)?, page_bytes: value(PAGE_SIZE)? })
    }
}

impl Stat {
    fn read(file: &File) -> Option<Self> {
        // Longer than the line can be: 52 fields of at most 20 digits, and a name of 16 bytes.
        let mut buffer = [0; 1200];
        let length = file.read_at(&mut buffer, 0).ok()?;
        Self::parse(std::str::from_utf8(buffer.get(..length)?).ok()?)
    }

    fn parse(line: &str) -> Option<Self> {
        // The name of the program is in parentheses, and may itself contain some.
        let (_, fields) = line.rsplit_once(") ")?;
        // What follows is the third field of proc(5).
        let mut fields = fields.split(' ');
        let mut skip_then = |skipped: usize| fields.nth(skipped)?.trim_end().parse::<f64>().ok();
        let user = skip_then(11)?;
        let system = skip_then(0)?;
        let threads = skip_then(4)?;
        let start_ticks = skip_then(1)?;
        let virtual_bytes = skip_then(0)?;
        let resident_pages = skip_then(0)?;
        Some(Self { cpu_ticks: user + system, threads, start_ticks, virtual_bytes, resident_pages })
    }
}

/// Seconds from the epoch to the start of the machine.
fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

/// Files that the process may have open.
fn max_open_files() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match limit.split_whitespace().next()? {
        "unlimited" => Some(f64::INFINITY),
        number => number.parse().ok(),
    }
}

/// Files that the process has open.
fn open_files() -> Option<f64> {
    // Since Linux 6.2 the directory says its length; before, it is zero and the entries have to be counted.
    let told = fs::metadata(OPEN_FILES).ok()?.size();
    let open = if told > 0 { told } else { fs::read_dir(OPEN_FILES).ok()?.count() as u64 - 1 };
    u32::try_from(open).ok().map(f64::from)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_any_name() {
        let line = "42 (a) b (c) R 1 42 42 0 -1 4194560 9 0 0 0 250 50 0 0 20 0 7 0 1234 5678 90 1844 1 1";
        let expected = Stat {
            cpu_ticks: 300.0,
            threads: 7.0,
            start_ticks: 1234.0,
            virtual_bytes: 5678.0,
            resident_pages: 90.0,
        };
        assert_eq!(Stat::parse(line), Some(expected));
        assert_eq!(Stat::parse("42 (cut) R 1 42"), None);
    }

    #[test]
    fn the_figures_agree_with_what_the_kernel_says_elsewhere() {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let in_status = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse::<f64>().unwrap()
        };
        let (system, stat) = (System::read().unwrap(), Stat::read(&File::open(STAT).unwrap()).unwrap());
        let resident = stat.resident_pages * system.page_bytes;
        let ratio = resident / (in_status("VmRSS:") * 1024.0);
        assert!((0.5..2.0).contains(&ratio), "{resident} bytes are {ratio} of what the status says");
        let ratio = stat.virtual_bytes / (in_status("VmSize:") * 1024.0);
        assert!((0.5..2.0).contains(&ratio), "{ratio}");
        let age = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64()
            - (boot_time().unwrap() + stat.start_ticks / system.ticks_per_second);
        assert!((-2.0..3600.0).contains(&age), "the test began {age} s ago");
        assert!(max_open_files().unwrap() >= open_files().unwrap());
        assert!(open_files().unwrap() >= 3.0);
    }
}
