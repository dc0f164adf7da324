//! Load from wrk.

use std::{net::SocketAddr, path::Path, process::Command};

use anyhow::{Context, ensure};

use crate::chore;

/// What wrk measured.
#[derive(Debug)]
pub(super) struct Load {
    /// Requests that were answered, all of them with success.
    pub(super) requests: u64,
    pub(super) seconds: f64,
    pub(super) p50_us: u64,
    pub(super) p95_us: u64,
    pub(super) p99_us: u64,
}

/// What the end of every script prints; wrk's own summary rounds its figures.
pub(super) const DONE: &str = r#"
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("figures %d %d %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(95), latency:percentile(99), e.connect + e.read + e.write + e.timeout, e.status))
end
"#;

/// Runs a script for some seconds. One thread of wrk is enough for these servers, and leaves them a core.
pub(super) fn run(
    script: &Path,
    address: SocketAddr,
    connections: u32,
    seconds: u32,
) -> anyhow::Result<Load> {
    let output = chore::output(
        Command::new("wrk")
            .args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), "--timeout", "10s", "-s"])
            .arg(script)
            .arg(format!("http://{address}")),
    )?;
    let line = output.lines().find_map(|line| line.strip_prefix("figures ")).context("wrk has no figures")?;
    let figures = line.split(' ').map(str::parse).collect::<Result<Vec<u64>, _>>()?;
    let [requests, micros, p50_us, p95_us, p99_us, failures, refusals] = figures[..] else {
        anyhow::bail!("wrk printed {line}")
    };
    ensure!(failures == 0, "{failures} of {requests} requests were not answered");
    ensure!(refusals == 0, "{refusals} of {requests} requests were answered with an error");
    ensure!(requests > 0, "no request was answered in {seconds} s");
    #[expect(clippy::cast_precision_loss, reason = "a benchmark takes minutes, far below 2^52 µs")]
    let seconds = micros as f64 / 1e6;
    Ok(Load { requests, seconds, p50_us, p95_us, p99_us })
}
