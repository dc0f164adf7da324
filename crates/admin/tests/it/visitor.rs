//! An admin on a database of a test's own, and visitors who look at every answer twice: whatever is asked, the
//! answer must be a page that a strict browser shows, and none may be the service's fault.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header, request::Builder},
};
use inventory::{App, Options};
use inventory_core::{Actor, Component, ComponentId, ComponentPatch, NewComponent, Role, User};
use inventory_store::{
    ComponentOperation, Config, OperationResult, Password, Store, VersionPrecondition, WriteContext,
};
use serde_json::Value;
use tower::ServiceExt;

use crate::database::TestDatabase;

/// The password of every user in the tests.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// The most that a page may have, in bytes.
pub(crate) const MAX_PAGE_BYTES: usize = 200_000;
/// How long anything may take before a test gives up on it. No test depends on it otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// Where the components are.
pub(crate) const COMPONENTS: &str = "/admin/components";

pub(crate) struct Site {
    pub(crate) store: Store,
    pub(crate) app: App,
    pub(crate) router: Router,
    /// Outlives the store: fields are dropped in this order.
    _database: TestDatabase,
}

impl Site {
    pub(crate) async fn on(database: TestDatabase) -> Self {
        Self::with(database, Options::default()).await
    }

    /// One that behaves as these options say.
    pub(crate) async fn with(database: TestDatabase, options: Options) -> Self {
        let config = Config { poll: Duration::from_millis(20), ..Config::new(database.url()) };
        Self::over(config, database, options).await
    }

    /// The same with a store that is opened otherwise.
    pub(crate) async fn over(config: Config, database: TestDatabase, options: Options) -> Self {
        let store = Store::open(config).await.unwrap();
        for (name, role) in [("viewer", Role::Viewer), ("editor", Role::Editor), ("admin", Role::Admin)] {
            let password = Password::new(PASSWORD).unwrap();
            store.users().create(name.parse().unwrap(), role, password, Actor::cli()).await.unwrap();
        }
        let app = App::start(store.clone(), options).await.unwrap();
        Self { router: app.router(), app, store, _database: database }
    }

    /// Each test runs on each database.
    pub(crate) async fn each() -> Vec<Self> {
        let mut sites = Vec::new();
        for database in TestDatabase::each() {
            sites.push(Self::on(database).await);
        }
        sites
    }

    /// Someone who is not signed in.
    pub(crate) fn stranger(&self) -> Visitor<'_> {
        Visitor { site: self, cookies: Vec::new() }
    }

    /// Someone who has signed in.
    pub(crate) async fn signed_in(&self, name: &str) -> Visitor<'_> {
        let mut visitor = self.stranger();
        let answer = visitor.post("/admin/sign-in", &[("name", name), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
        visitor
    }

    pub(crate) async fn viewer(&self) -> Visitor<'_> {
        self.signed_in("viewer").await
    }

    pub(crate) async fn editor(&self) -> Visitor<'_> {
        self.signed_in("editor").await
    }

    pub(crate) async fn admin(&self) -> Visitor<'_> {
        self.signed_in("admin").await
    }

    /// The user of this name as they are now.
    pub(crate) async fn user(&self, name: &str) -> User {
        self.store.users().find_by_name(&name.parse().unwrap()).await.unwrap().unwrap()
    }

    /// What the API answers to a token.
    pub(crate) async fn api(&self, secret: &str) -> StatusCode {
        let request = Request::get("/api/v1/components")
            .header(header::AUTHORIZATION, format!("Bearer {secret}"))
            .body(Body::empty());
        self.respond(request.unwrap()).await.status()
    }

    /// Makes a component, past the admin.
    pub(crate) async fn create(&self, json: Value) -> Component {
        let new = NewComponent::from_json(json).unwrap();
        self.write(ComponentOperation::Create(Box::new(new))).await
    }

    /// Makes components that are named by a number, past the admin.
    pub(crate) async fn fill(&self, count: usize) {
        let new = |number| {
            let json = serde_json::json!({"name": format!("Part {number:05}"), "sku": format!("P-{number:05}"), "tags": ["bulk"]});
            ComponentOperation::Create(Box::new(NewComponent::from_json(json).unwrap()))
        };
        self.store.write((0..count).map(new).collect(), WriteContext::new(Actor::cli())).await.unwrap();
    }

    /// Changes a component, past the admin.
    pub(crate) async fn change(&self, id: ComponentId, json: Value) -> Component {
        let patch = Box::new(ComponentPatch::from_json(json).unwrap());
        self.write(ComponentOperation::Update { id, expected: VersionPrecondition::Any, patch }).await
    }

    /// Deletes a component, past the admin.
    pub(crate) async fn delete(&self, id: ComponentId) {
        self.write(ComponentOperation::Delete { id, expected: VersionPrecondition::Any }).await;
    }

    async fn write(&self, operation: ComponentOperation) -> Component {
        let written =
            self.store.write_one(operation, WriteContext::new(Actor::token("robot"))).await.unwrap();
        assert!(!matches!(written.result, OperationResult::Unchanged(_)), "{written:?}");
        written.result.into_component().as_ref().clone()
    }

    /// The component as it is now.
    pub(crate) async fn component(&self, id: ComponentId) -> Option<Component> {
        self.store.component(id).await.unwrap()
    }

    /// How many components there are.
    pub(crate) async fn count(&self) -> u64 {
        self.store.snapshot().await.unwrap().components
    }

    /// The last event.
    pub(crate) async fn head(&self) -> u64 {
        self.store.snapshot().await.unwrap().head.0
    }

    pub(crate) async fn respond(&self, mut request: Request<Body>) -> axum::response::Response {
        request.headers_mut().entry(header::HOST).or_insert(HeaderValue::from_static("test"));
        self.router.clone().oneshot(request).await.unwrap()
    }
}

/// A browser with its cookies.
pub(crate) struct Visitor<'a> {
    pub(crate) site: &'a Site,
    cookies: Vec<(String, String)>,
}

/// What the admin answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl<'a> Visitor<'a> {
    /// Another browser with the same cookies.
    pub(crate) fn copy(&self) -> Visitor<'a> {
        Visitor { site: self.site, cookies: self.cookies.clone() }
    }

    /// A cookie that the admin did not set.
    pub(crate) fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.push((name.to_owned(), value.to_owned()));
    }

    /// A request with the cookies.
    pub(crate) fn request(&self, method: Method, path: &str) -> Builder {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Request::builder().method(method).uri(path).header(header::COOKIE, cookies.join("; "))
    }

    pub(crate) async fn send(&mut self, request: Request<Body>) -> Answer {
        let response = self.site.respond(request).await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(kept, _)| kept != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        let answer = Answer { status: parts.status, headers: parts.headers, body };
        answer.assert_proper();
        answer
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let request = self.request(Method::GET, path).body(Body::empty()).unwrap();
        self.send(request).await
    }

    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = self.request(Method::POST, path).form(fields);
        self.send(request).await
    }

    /// Posts a form and follows it to the page that it leads to.
    pub(crate) async fn follow(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let answer = self.post(path, fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
        self.get(&answer.location()).await
    }
}

/// A text as a form or a query has it.
pub(crate) fn escaped(text: &str) -> String {
    percent_encoding::percent_encode(text.as_bytes(), percent_encoding::NON_ALPHANUMERIC).to_string()
}

pub(crate) trait FormRequest {
    fn form(self, fields: &[(&str, &str)]) -> Request<Body>;
}

impl FormRequest for Builder {
    fn form(self, fields: &[(&str, &str)]) -> Request<Body> {
        let pairs: Vec<_> =
            fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
        self.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(pairs.join("&")))
            .unwrap()
    }
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Where it leads to.
    pub(crate) fn location(&self) -> String {
        self.headers[header::LOCATION].to_str().unwrap().to_owned()
    }

    pub(crate) fn has(&self, text: &str) -> bool {
        self.text().contains(text)
    }

    /// The page, which must hold these texts.
    pub(crate) fn assert_has(&self, texts: &[&str]) {
        for text in texts {
            assert!(self.has(text), "there is no {text:?} in\n{}", self.text());
        }
    }

    /// What the first field of this name holds.
    pub(crate) fn field(&self, name: &str) -> &str {
        let mark = format!("name=\"{name}\" value=\"");
        let (_, rest) =
            self.text().split_once(&mark).unwrap_or_else(|| panic!("no field {name} in {}", self.text()));
        rest.split('"').next().unwrap()
    }

    /// The names of the rows of a list, in order.
    pub(crate) fn names(&self) -> Vec<&str> {
        let cells = self.text().split("<td class=\"name\"").skip(1);
        cells
            .map(|cell| {
                cell.split_once("\">").unwrap().1.split_once("\">").unwrap().1.split("</a>").next().unwrap()
            })
            .collect()
    }

    /// What holds of every answer of the admin.
    fn assert_proper(&self) {
        assert_ne!(self.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", self.text());
        let html =
            self.headers.get(header::CONTENT_TYPE).is_some_and(|value| value == "text/html; charset=utf-8");
        let policy = self.headers.get(header::CONTENT_SECURITY_POLICY).map(|value| value.to_str().unwrap());
        if !html {
            assert!(self.status.is_success() || self.status.is_redirection(), "{} is no page", self.status);
            return;
        }
        assert!(policy.is_some_and(|policy| policy.contains("frame-ancestors 'none'")), "{policy:?}");
        let text = self.text();
        assert!(text.len() <= MAX_PAGE_BYTES, "a page of {} bytes", text.len());
        assert!(text.starts_with("<!doctype html>") && text.trim_end().ends_with("</html>"));
        for forbidden in
            ["<script>", " style=", " onerror=\"", " onclick=", "href=\"javascript:", "http://cdn", "<style"]
        {
            assert!(!text.contains(forbidden), "{forbidden} in\n{text}");
        }
    }
}
