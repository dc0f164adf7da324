//! The binary, run to its end.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use crate::database::TestDatabase;

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The binary with no variable of the surroundings but those that any program needs.
pub(crate) fn inventory() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inventory"));
    command.env_clear();
    for name in ["PATH", "HOME", "TMPDIR", "LLVM_PROFILE_FILE"] {
        command.envs(std::env::var(name).map(|value| (name, value)));
    }
    command
}

/// Runs a command of the binary on a database.
pub(crate) fn run(database: &TestDatabase, args: &[&str]) -> Run {
    run_with(database, args, &[], b"")
}

/// Runs a command of the binary on a database, with further variables and a standard input.
pub(crate) fn run_with(
    database: &TestDatabase,
    args: &[&str],
    variables: &[(&str, &str)],
    stdin: &[u8],
) -> Run {
    let mut command = inventory();
    command.env("INVENTORY_DATABASE_URL", database.url()).envs(variables.iter().copied()).args(args);
    finish(command, stdin)
}

/// Runs any command to its end.
pub(crate) fn finish(mut command: Command, stdin: &[u8]) -> Run {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let stdin = stdin.to_owned();
    // Written from a separate thread, since the command may print before it has read everything.
    let feeder = std::thread::spawn(move || drop(pipe.write_all(&stdin)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Run {
        code: output.status.code().expect("the command ended by itself"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Run {
    /// Asserts that the run went well, and returns what it printed.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout
    }

    /// Asserts that the run failed with this code and printed nothing, and returns what it complained of.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!((self.code, &*self.stdout), (code, ""), "stderr: {}", self.stderr);
        self.stderr
    }
}
