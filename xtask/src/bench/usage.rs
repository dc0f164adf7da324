//! What a process used, as the kernel counts it.

use std::{fs, sync::OnceLock, time::Duration};

use anyhow::Context;

use crate::chore;

/// The time that all threads of a process ran, in user and in kernel mode.
pub(super) fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the name in parentheses, which may hold anything; proc(5) counts utime as the 14th.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let mut ticks = fields.split_whitespace().skip(11).map(str::parse::<u32>);
    let (user, system) = (ticks.next().context("no utime")??, ticks.next().context("no stime")??);
    Ok(Duration::from_secs(1) * (user + system) / ticks_per_second()?)
}

fn ticks_per_second() -> anyhow::Result<u32> {
    static TICKS: OnceLock<u32> = OnceLock::new();
    if let Some(ticks) = TICKS.get() {
        return Ok(*ticks);
    }
    let ticks = chore::output(std::process::Command::new("getconf").arg("CLK_TCK"))?.trim().parse()?;
    Ok(*TICKS.get_or_init(|| ticks))
}

/// The memory of a process that is in RAM, in KiB.
pub(super) fn resident_kib(pid: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
