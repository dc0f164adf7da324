//! A PostgreSQL server whose disk returns errors.

use std::{
    fs::{self, File},
    net::TcpListener,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use inventory_testing::Acknowledged;
use reqwest::StatusCode;
use tempfile::TempDir;

use crate::{
    database::{TestDatabase, psql},
    faults::{check, create_batch, follow},
    server::{PATIENCE, Server},
};

/// What fails, by its place in the file that `io_errors.c` maps, and how many of a hundred calls of it.
const FAILURES: [(&str, u64, u8); 8] = [
    ("pwrite", 0, 100),
    ("pwrite", 0, 20),
    ("pwrite", 0, 5),
    ("fsync", 1, 100),
    ("fdatasync", 2, 100),
    ("fdatasync", 2, 5),
    ("pread", 3, 100),
    ("pread", 3, 20),
];

/// A PostgreSQL server of the test's own, killed when this is dropped.
struct Cluster {
    postgres: Child,
    port: u16,
    binaries: PathBuf,
    failures: File,
    folder: TempDir,
}

impl Cluster {
    /// `None`, and a line that says so, where PostgreSQL's programs, its user or a C compiler are missing.
    fn start() -> Option<Self> {
        match Self::try_start() {
            Ok(cluster) => Some(cluster),
            Err(error) => {
                assert!(
                    std::env::var_os("CI").is_none(),
                    "in CI this test needs a PostgreSQL server that it can start: {error}"
                );
                eprintln!("SKIPPED: cannot start a PostgreSQL server: {error}");
                None
            }
        }
    }

    fn try_start() -> Result<Self, String> {
        let folder = TempDir::new().unwrap();
        let binaries = binaries().ok_or("there is no /usr/lib/postgresql/*/bin")?;
        let failures = folder.path().join("failures");
        fs::write(&failures, [0; 4]).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/io_errors.c");
        let library = folder.path().join("io_errors.so");
        succeed(
            Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl"),
        )?;
        succeed(Command::new("chown").args(["-R", "postgres"]).arg(folder.path()))?;
        succeed(as_postgres(&binaries.join("initdb"), folder.path()).args([
            "--auth=trust",
            "--username=postgres",
            "--no-sync",
        ]))?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let postgres = spawn(&binaries, folder.path(), port);
        let failures = File::options().write(true).open(failures).unwrap();
        let mut cluster = Self { postgres, port, binaries, failures, folder };
        cluster.wait();
        Ok(cluster)
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}", self.port)
    }

    /// Makes this percentage of calls fail from now on.
    fn fail(&self, call: u64, percent: u8) {
        self.failures.write_all_at(&[percent], call).unwrap();
    }

    /// Ends the failures, and starts the server again if they ended it.
    fn repair(&mut self, call: u64) {
        self.fail(call, 0);
        self.wait();
    }

    /// Waits until the server answers. While it recovers from a crash it may end; then it is started again.
    fn wait(&mut self) {
        let give_up = Instant::now() + PATIENCE;
        while psql(&format!("{}/postgres", self.url()), "SELECT 1").is_err() {
            assert!(Instant::now() < give_up, "{}", self.log());
            if self.postgres.try_wait().unwrap().is_some() {
                self.postgres = spawn(&self.binaries, self.folder.path(), self.port);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // An immediate shutdown: it ends its processes first.
        drop(Command::new("kill").arg("-QUIT").arg(self.postgres.id().to_string()).status());
        drop(self.postgres.wait());
    }
}

/// Where Debian keeps the programs of the newest version that is installed.
fn binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    folders.filter(|folder| folder.join("initdb").is_file()).max()
}

/// A program of PostgreSQL, which does not run as root.
fn as_postgres(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command.arg("-D").arg(folder.join("data")).current_dir(folder);
    command
}

fn spawn(binaries: &Path, folder: &Path, port: u16) -> Child {
    let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
    as_postgres(&binaries.join("postgres"), folder)
        .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
        .args(["-p", &port.to_string()])
        .env("LD_PRELOAD", folder.join("io_errors.so"))
        .env("IO_ERRORS", folder.join("failures"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_io_error_loses_nothing_on_postgres() {
    let Some(mut cluster) = Cluster::start() else { return };
    let database = TestDatabase::postgres_at(&cluster.url()).unwrap();
    let server = Server::start(&database);
    let stream = follow(&server);
    let mut acknowledged = Acknowledged::default();
    for (name, call, percent) in FAILURES {
        cluster.fail(call, percent);
        let mut refused = 0;
        for _ in 0..10 {
            refused += u32::from(create_batch(&server, &mut acknowledged).await != StatusCode::OK);
            // What was written is on its way to the files of the tables at a checkpoint only.
            drop(psql(&format!("{}/postgres", cluster.url()), "CHECKPOINT"));
        }
        assert!(
            refused > 0 || percent < 100 || name == "pread",
            "{percent} % of {name} fail, and nothing did"
        );
        cluster.repair(call);
        check(&database, &[&server], &mut acknowledged, Some(&stream)).await;
    }
    drop(stream);
    server.stop();
}
