//! The binary as a user would build it: the service with a subscriber and an option beside those of the product.

#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// How long anything may take before a test gives up on it. No test depends on it otherwise.
const PATIENCE: Duration = Duration::from_mins(1);
const TOKEN: &str = "a-token-for-tests-only";

/// The binary with no variable of the surroundings but those that any program needs.
fn binary(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inventory-example-subscriber"));
    command.env_clear();
    for name in ["PATH", "HOME", "TMPDIR", "LLVM_PROFILE_FILE"] {
        command.envs(std::env::var(name).map(|value| (name, value)));
    }
    command
        .env("INVENTORY_DATABASE_URL", format!("sqlite:{}", folder.join("inventory.db").display()))
        .env("INVENTORY_LISTEN", "127.0.0.1:0")
        .env("INVENTORY_BOOTSTRAP_TOKEN", TOKEN);
    command
}

fn run(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

/// Killed when it is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_component_that_is_created_over_http_is_a_line_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("labels");
    let mut command = binary(folder.path());
    command.env("INVENTORY_LABEL_FILE", &file).stdout(Stdio::piped());
    let mut server = Server(command.spawn().unwrap());
    let mut lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let address = lines.find_map(|line| Some(line.unwrap().strip_prefix("Serving on http://")?.to_owned()));
    let address = address.unwrap_or_else(|| panic!("it does not serve"));
    let body = r#"{"name": "74HC00", "sku": "A-1"}"#;
    let mut connection = TcpStream::connect(address).unwrap();
    write!(
        connection,
        "POST /api/v1/components HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let deadline = Instant::now() + PATIENCE;
    while !file.exists() || fs::read_to_string(&file).unwrap().is_empty() {
        assert!(Instant::now() < deadline, "the subscriber was not called");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "A-1\t74HC00\n");
}

#[test]
fn the_option_of_the_subscriber_is_one_of_the_service() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["--help"][..], &["serve", "--help"]] {
        let (code, help) = run(binary(folder.path()).args(arguments));
        assert_eq!(code, Some(0));
        assert!(
            help.contains("--label-file <PATH>") && help.contains("[env: INVENTORY_LABEL_FILE"),
            "{help}"
        );
    }
    let (code, error) = run(binary(folder.path()).env("INVENTORY_LABEL_FIEL", "labels"));
    assert_eq!(code, Some(2));
    assert!(error.contains("did you mean INVENTORY_LABEL_FILE?"), "{error}");
    let (code, error) = run(binary(folder.path()).args(["--label-file", "labels", "check"]));
    assert_eq!(code, Some(2));
    assert!(error.contains("--label-file is an option of `serve`"), "{error}");
}
