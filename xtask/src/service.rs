//! A server that a chore starts, and that ends with it.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

use crate::{chore, http};

/// The API token that the service is started with. It opens nothing but a server of this chore.
pub(crate) const TOKEN: &str = "xtask-bootstrap-token";
/// How long a server may take to answer for the first time.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a server may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a server that starts or stops is asked whether it has: the error of every time that is measured.
const POLL: Duration = Duration::from_micros(500);

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From the start of the process to its first answer.
    pub(crate) first_answer: Duration,
}

impl Running {
    /// Starts a server and waits for its first answer to a request for components. What it prints goes to a
    /// file.
    pub(crate) fn start(command: &mut Command, address: SocketAddr, log: &Path) -> anyhow::Result<Self> {
        let file = File::create(log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let mut running = Self { child, address, first_answer: Duration::ZERO };
        while running.get("/api/v1/components?limit=1").is_err() {
            if let Some(status) = running.child.try_wait()? {
                bail!("the server stopped at its start: {status}\n{}", fs::read_to_string(log)?);
            }
            if started.elapsed() > START_TIMEOUT {
                bail!("the server did not answer in time\n{}", fs::read_to_string(log)?);
            }
            thread::sleep(POLL);
        }
        running.first_answer = started.elapsed();
        Ok(running)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn get(&self, path: &str) -> anyhow::Result<String> {
        http::request(self.address, TOKEN, "GET", path, "")
    }

    pub(crate) fn post(&self, path: &str, json: &str) -> anyhow::Result<String> {
        http::request(self.address, TOKEN, "POST", path, json)
    }

    /// Asks the server to stop and waits until it has.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        chore::output(Command::new("kill").args(["-TERM", &self.pid().to_string()]))?;
        let asked = Instant::now();
        while self.child.try_wait()?.is_none() {
            if asked.elapsed() > STOP_TIMEOUT {
                bail!("the server did not stop in time");
            }
            thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After `stop` there is nothing left to end, which is no error here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The service, to serve a database at an address, to as many requests as come.
pub(crate) fn inventory(binary: &Path, database_url: &str, address: SocketAddr) -> Command {
    let mut command = Command::new(binary);
    command
        .arg("serve")
        .env("INVENTORY_DATABASE_URL", database_url)
        .env("INVENTORY_LISTEN", address.to_string())
        .env("INVENTORY_RATE_LIMIT", "0")
        .env("INVENTORY_BOOTSTRAP_TOKEN", TOKEN);
    command
}

/// The service, to verify every invariant of a database.
pub(crate) fn check(binary: &Path, database_url: &str) -> Command {
    let mut command = Command::new(binary);
    command.arg("check").env("INVENTORY_DATABASE_URL", database_url);
    command
}

/// An address on this machine that nothing listens on.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
