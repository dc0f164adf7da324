//! A service on a database of a test's own, and a client that looks at every answer twice: whatever a test
//! asks, a failure must be a problem, and none may be the service's fault.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, HeaderValue, Method, Request, StatusCode, request},
};
use inventory::{App, Options};
use inventory_core::{Actor, Clock};
use inventory_store::{Config, Store};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower::ServiceExt;

use crate::database::TestDatabase;

/// The secret that the tests send.
pub(crate) const SECRET: &str = "secret-of-the-tests-that-is-long-enough";
/// Where the components are.
pub(crate) const COMPONENTS: &str = "/api/v1/components";
/// How long anything may take before a test gives up on it. No test depends on it otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Service {
    pub(crate) store: Store,
    pub(crate) app: App,
    pub(crate) router: Router,
    /// Outlives the store: fields are dropped in this order.
    pub(crate) database: TestDatabase,
}

/// What the service answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Service {
    pub(crate) async fn sqlite() -> Self {
        Self::on(TestDatabase::sqlite()).await
    }

    pub(crate) async fn on(database: TestDatabase) -> Self {
        Self::with(database, Options::default()).await
    }

    pub(crate) async fn with(database: TestDatabase, options: Options) -> Self {
        let at = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let config = Config {
            poll: Duration::from_millis(20),
            clock: Clock::fixed(at),
            ..Config::new(database.url())
        };
        let store = Store::open(config).await.unwrap();
        store.tokens().ensure("tests", SECRET, Actor::system()).await.unwrap();
        // So that no test receives the event that created its token.
        store.bus().published(store.snapshot().await.unwrap().head).await;
        let app = App::start(store.clone(), options).await.unwrap();
        Self { store, router: app.router(), app, database }
    }

    /// A request with a token.
    pub(crate) fn request(method: Method, path: &str) -> request::Builder {
        Request::builder().method(method).uri(path).header("authorization", format!("Bearer {SECRET}"))
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        request.headers_mut().entry("host").or_insert(HeaderValue::from_static("test"));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let answer = Answer { status: parts.status, headers: parts.headers, body };
        answer.assert_proper();
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Self::request(Method::GET, path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Self::request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, if_match: &str, body: &Value) -> Answer {
        self.send(Self::request(Method::PATCH, path).header("if-match", if_match).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str, if_match: &str) -> Answer {
        let request = Self::request(Method::DELETE, path).header("if-match", if_match);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Creates a component and returns its path and itself.
    pub(crate) async fn created(&self, body: Value) -> (String, Value) {
        let answer = self.post(COMPONENTS, &body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        (answer.header("location").to_owned(), answer.json())
    }

    /// Closes the store, and hands back the database.
    pub(crate) async fn close(self) -> TestDatabase {
        self.store.close().await;
        self.database
    }

    /// Closes the store and asserts that the database is sound.
    pub(crate) async fn assert_sound(self) {
        let report = self.store.check().await.unwrap();
        assert_eq!(report.violations, Vec::<String>::new());
        self.store.close().await;
    }
}

/// Sends text over a new connection and reads the response until the service closes it.
pub(crate) async fn over_tcp(address: std::net::SocketAddr, request: &[u8]) -> String {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(request).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, connection.read_to_string(&mut answer)).await.expect("no end").unwrap();
    answer
}

/// JSON as a body.
pub(crate) trait WithJson {
    fn json(self, body: &Value) -> Request<Body>;
}

impl WithJson for request::Builder {
    fn json(self, body: &Value) -> Request<Body> {
        self.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap()
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}")).to_str().unwrap()
    }

    pub(crate) fn etag(&self) -> &str {
        self.header("etag")
    }

    /// Asserts that this is a problem of a kind, and returns it.
    pub(crate) fn problem(&self, status: u16, slug: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        let problem = self.json();
        assert_eq!(problem["type"], format!("/problems/{slug}"), "{problem}");
        problem
    }

    fn assert_proper(&self) {
        assert_ne!(self.status, StatusCode::INTERNAL_SERVER_ERROR, "{self:?}");
        if self.status.is_client_error() || self.status.is_server_error() {
            assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
            if !self.body.is_empty() {
                let problem = self.json();
                assert_eq!(problem["status"], self.status.as_u16(), "{problem}");
                assert!(problem["type"].as_str().unwrap().starts_with("/problems/"), "{problem}");
                assert!(!problem["title"].as_str().unwrap().is_empty(), "{problem}");
                assert!(!problem["detail"].as_str().unwrap().is_empty(), "{problem}");
            }
        }
        match self.status {
            StatusCode::UNAUTHORIZED => assert!(self.headers.contains_key("www-authenticate")),
            StatusCode::METHOD_NOT_ALLOWED => assert!(self.headers.contains_key("allow")),
            StatusCode::SERVICE_UNAVAILABLE => assert!(self.headers.contains_key("retry-after")),
            _ => {}
        }
    }
}
