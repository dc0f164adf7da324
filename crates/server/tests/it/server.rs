//! A server process and a client of it.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::Once,
    time::{Duration, Instant},
};

use inventory_testing::Frames;
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::{command::inventory, database::TestDatabase};

/// How long anything may take before a test gives up on it. No test depends on it otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The API token of servers that are started without another.
pub(crate) const TOKEN: &str = "a-token-for-tests-only";

/// A server process on a free port, killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: NamedTempFile,
    /// Where it serves, without a slash at the end.
    pub(crate) base: String,
    /// What it printed up to and including the line that says where it serves.
    pub(crate) greeting: String,
    pub(crate) api: Api,
}

impl Server {
    /// A server that knows [`TOKEN`].
    pub(crate) fn start(database: &TestDatabase) -> Self {
        Self::start_with(database, &[("INVENTORY_BOOTSTRAP_TOKEN", TOKEN)])
    }

    /// A server with these variables. It listens on a free port of the loopback address and answers as many
    /// requests as come, unless they say otherwise.
    pub(crate) fn start_with(database: &TestDatabase, variables: &[(&str, &str)]) -> Self {
        Self::spawn(Self::command(database, variables))
    }

    /// The command of such a server.
    pub(crate) fn command(database: &TestDatabase, variables: &[(&str, &str)]) -> Command {
        let mut command = inventory();
        command
            .env("INVENTORY_DATABASE_URL", database.url())
            .env("INVENTORY_LISTEN", "127.0.0.1:0")
            .env("INVENTORY_RATE_LIMIT", "0")
            .envs(variables.iter().copied());
        command
    }

    /// A server as this command starts it; returns when it answers.
    pub(crate) fn spawn(command: Command) -> Self {
        let stderr = NamedTempFile::new().unwrap();
        let file = File::create(stderr.path()).unwrap();
        Self::spawn_with(command, file.into(), stderr)
    }

    /// The same with another stderr, of which [`Server::log`] knows nothing.
    pub(crate) fn spawn_with_stderr(command: Command, stderr: impl Into<Stdio>) -> Self {
        Self::spawn_with(command, stderr.into(), NamedTempFile::new().unwrap())
    }

    fn spawn_with(mut command: Command, sink: Stdio, stderr: NamedTempFile) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(sink).spawn().unwrap();
        // The command keeps its end of a pipe for as long as it is there.
        drop(command);
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut greeting = String::new();
        let base = loop {
            let from = greeting.len();
            if stdout.read_line(&mut greeting).unwrap() == 0 {
                let log = std::fs::read_to_string(stderr.path()).unwrap();
                panic!("the server ended instead of serving: {:?}\n{greeting}\n{log}", child.wait());
            }
            if let Some(base) = greeting[from..].trim_end().strip_prefix("Serving on ") {
                break base.to_owned();
            }
        };
        let api = Api { client: client(), base: base.clone(), token: TOKEN.to_owned() };
        Self { child, stdout, stderr, base, greeting, api }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let status =
            Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the process to end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops the server as an init system does, and asserts that it ends well.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let status = self.wait();
        assert!(status.success(), "{status}\n{}", self.log());
    }

    /// Ends the process between two of its instructions.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.stderr.path()).unwrap()
    }

    /// The log, once it contains this text. The server writes its log from a separate thread.
    pub(crate) fn log_with(&self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = self.log();
            if log.contains(text) {
                return log;
            }
            assert!(Instant::now() < deadline, "{text:?} is not in the log:\n{log}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What it printed after its greeting; the process must have ended.
    pub(crate) fn rest_of_stdout(&mut self) -> String {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        rest
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("the log of the server on {}:\n{}", self.base, self.log());
        }
    }
}

/// A client with a token.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) client: Client,
    pub(crate) base: String,
    pub(crate) token: String,
}

/// An HTTP client.
pub(crate) fn client() -> Client {
    client_builder().build().unwrap()
}

/// An HTTP client that goes where it is sent, and not on from there.
pub(crate) fn client_that_follows_nothing() -> Client {
    client_builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// An HTTP client that trusts this certificate, as PEM, and no other.
pub(crate) fn client_that_trusts(certificate: &str) -> Client {
    let certificate = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
    client_builder().tls_certs_only([certificate]).build().unwrap()
}

fn client_builder() -> ClientBuilder {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    Client::builder().timeout(PATIENCE)
}

impl Api {
    /// A request with the token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// Sends a request and reads the JSON answer; an empty one is `null`.
    pub(crate) async fn send(&self, request: RequestBuilder) -> (StatusCode, Value) {
        let response = request.send().await.unwrap();
        let status = response.status();
        let body = response.bytes().await.unwrap();
        let value = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
        (status, value)
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// Creates a component.
    pub(crate) async fn create(&self, component: &Value) -> Value {
        let (status, body) = self.post("/api/v1/components", component).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        body
    }

    /// Changes a component, whatever its version.
    pub(crate) async fn patch(&self, id: &str, patch: &Value) -> Value {
        let request = self.request(Method::PATCH, &format!("/api/v1/components/{id}"));
        let (status, body) = self.send(request.header("If-Match", "*").json(patch)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    /// Deletes a component, whatever its version.
    pub(crate) async fn delete(&self, id: &str) {
        let request = self.request(Method::DELETE, &format!("/api/v1/components/{id}"));
        let (status, body) = self.send(request.header("If-Match", "*")).await;
        assert!(status.is_success(), "{status} {body}");
    }

    /// A scrape, as text.
    pub(crate) async fn scrape(&self) -> String {
        let response = self.client.get(format!("{}/metrics/", self.base)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.text().await.unwrap()
    }

    /// The value of a metric without labels, at a new scrape.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        metric(&self.scrape().await, name)
    }

    /// The first `count` events of the log that match the parameters of the stream.
    pub(crate) async fn events(&self, parameters: &str, count: usize) -> Vec<Value> {
        let path = format!("/api/v1/events?after=0&{parameters}");
        let mut response = self.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let mut frames = Frames::default();
        let mut events = Vec::new();
        while events.len() < count {
            frames.push(&response.chunk().await.unwrap().expect("the stream goes on"));
            let data = frames.by_ref().filter_map(|frame| frame.data).filter(|data| !data.is_empty());
            events.extend(data.map(|data| serde_json::from_str::<Value>(&data).unwrap()));
        }
        events
    }
}

/// The value of a metric without labels in a scrape.
pub(crate) fn metric(scrape: &str, name: &str) -> f64 {
    let line = scrape.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no metric {name} in\n{scrape}")).parse().unwrap()
}
