//! Who may do what: `docs/access.md`, held against a running service. The page itself is what is read here, so it
//! cannot say anything else than what is so.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use inventory_admin::Admin;
use reqwest::{Client, Method, Response, StatusCode, header};

use crate::{
    command::{run, run_with},
    database::TestDatabase,
    server::{Server, client_that_follows_nothing},
};

const PASSWORD: &str = "correct horse battery";
const ROLES: [&str; 3] = ["viewer", "editor", "admin"];
const SCOPES: [&str; 4] = ["read", "write", "metrics", "admin"];
/// API routes that are not in the OpenAPI document.
const BESIDE: [&str; 5] = ["/metrics/", "/metrics", "/openapi.json", "/api/openapi.json", "/api/docs/"];
/// The prefix of the assets' paths, and the one row of the table that stands for all of them.
const ASSETS: (&str, &str) = ("/admin/assets/", "/admin/assets/{file}");
/// What browsers call the fields of a form.
const FORM: &str = "application/x-www-form-urlencoded";
/// Nobody's.
const NO_ID: &str = "00000000-0000-4000-8000-000000000000";

/// One line of a table: a route, and what each of those named in the head of the table is answered.
struct Row {
    method: Method,
    path: String,
    answers: BTreeMap<String, String>,
}

/// The rows under a heading of the page.
fn rows(heading: &str) -> Vec<Row> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("docs/access.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut lines = section.lines().filter(|line| line.starts_with('|')).map(cells);
    let head = lines.next().unwrap();
    lines.next().unwrap();
    lines
        .map(|cells| {
            assert_eq!(cells.len(), head.len(), "{cells:?}");
            Row {
                method: cells[0].parse().unwrap(),
                path: cells[1].trim_matches('`').to_owned(),
                answers: head[2..].iter().cloned().zip(cells[2..].iter().cloned()).collect(),
            }
        })
        .collect()
}

/// Each route has one row, and each row a route.
fn assert_complete(rows: &[Row], served: &BTreeSet<(String, String)>) {
    let told: BTreeSet<_> = rows.iter().map(|row| (row.method.to_string(), row.path.clone())).collect();
    assert_eq!(told.len(), rows.len(), "a route has two rows");
    let missing: Vec<_> = served.difference(&told).collect();
    let extra: Vec<_> = told.difference(served).collect();
    assert!(missing.is_empty(), "docs/access.md has no row for {missing:?}");
    assert!(extra.is_empty(), "docs/access.md has rows for what is no route: {extra:?}");
}

/// A service with users of every role, and with something of everything that a path can name.
struct Subject<'a> {
    database: &'a TestDatabase,
    server: Server,
    client: Client,
    component: String,
    user: String,
    admin: Who,
    made: Cell<u32>,
}

/// The identity that sends a request.
#[derive(Clone)]
enum Who {
    Nobody,
    Session(String),
    Token(String),
}

impl<'a> Subject<'a> {
    async fn on(database: &'a TestDatabase) -> Self {
        let variables = [
            ("INVENTORY_BOOTSTRAP_TOKEN", crate::server::TOKEN),
            ("INVENTORY_ADMIN_PASSWORD", PASSWORD),
            ("INVENTORY_METRICS_TOKEN", "the-token-of-the-metrics"),
        ];
        let server = Server::start_with(database, &variables);
        for (name, role) in [("viewer", "viewer"), ("editor", "editor"), ("spare", "viewer")] {
            run_with(database, &["user", "add", name, "--role", role], &[], PASSWORD.as_bytes()).ok();
        }
        let component = server.api.create(&serde_json::json!({"name": "a"})).await;
        let component = component["id"].as_str().unwrap().to_owned();
        let subject = Self {
            database,
            server,
            client: client_that_follows_nothing(),
            component,
            user: String::new(),
            admin: Who::Nobody,
            made: Cell::new(0),
        };
        let admin = subject.sign_in("admin").await;
        let list = subject.ask(&Method::GET, "/admin/users", &admin).await.text().await.unwrap();
        let (before, _) = list.split_once("\">spare</a>").unwrap();
        Self { user: before.rsplit('/').next().unwrap().to_owned(), admin, ..subject }
    }

    async fn sign_in(&self, name: &str) -> Who {
        let form = format!("name={name}&password={}", PASSWORD.replace(' ', "+"));
        let request = self.client.post(format!("{}/admin/sign-in", self.server.base)).body(form);
        let request = request.header(header::CONTENT_TYPE, FORM);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let cookies = response.headers().get_all(header::SET_COOKIE).iter();
        let session = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
        Who::Session(session.filter(|cookie| cookie.starts_with("inventory_session=")).collect())
    }

    /// The secret of a new token of a user, or of the operator.
    fn token(&self, owner: Option<&str>, scopes: &[&str]) -> String {
        self.make_token(owner, scopes).1
    }

    /// The id of such a token.
    async fn token_id(&self, owner: Option<&str>) -> String {
        let (name, _) = self.make_token(owner, &["read"]);
        let list = self.ask(&Method::GET, "/admin/tokens", &self.admin).await.text().await.unwrap();
        let (_, row) = list.split_once(&format!(">{name}<")).unwrap();
        let (_, link) = row.split_once("\"/admin/tokens/").unwrap();
        link.split('/').next().unwrap().to_owned()
    }

    fn make_token(&self, owner: Option<&str>, scopes: &[&str]) -> (String, String) {
        let name = format!("token-{}.", self.made.replace(self.made.get() + 1));
        let mut arguments = vec!["token", "create", &name];
        arguments.extend(owner.iter().flat_map(|owner| ["--user", owner]));
        arguments.extend(scopes.iter().flat_map(|scope| ["--scope", scope]));
        let secret = run(self.database, &arguments).ok().trim_end().to_owned();
        (name, secret)
    }

    /// The id of a file that someone uploaded; of nobody's where they may not.
    async fn upload(&self, who: &Who) -> String {
        let Who::Session(cookie) = who else { return NO_ID.to_owned() };
        let form = "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n\
                    sku,name\nA,a\n\r\n--x--\r\n";
        let request = self.client.post(format!("{}/admin/import", self.server.base)).body(form);
        let request = request.header(header::COOKIE, cookie);
        let request = request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=x");
        let response = request.send().await.unwrap();
        let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
        location.map_or(NO_ID, |location| location.rsplit('/').next().unwrap()).to_owned()
    }

    async fn ask(&self, method: &Method, path: &str, who: &Who) -> Response {
        let request = self.client.request(method.clone(), format!("{}{path}", self.server.base));
        let request = match who {
            Who::Nobody => request,
            Who::Session(cookie) => request.header(header::COOKIE, cookie),
            Who::Token(secret) => request.bearer_auth(secret),
        };
        let request = if *method == Method::POST && path.starts_with("/admin") {
            request.header(header::CONTENT_TYPE, FORM).body("")
        } else {
            request
        };
        request.send().await.unwrap()
    }

    /// A path with something that there is in the place of each name.
    fn filled(&self, path: &str) -> String {
        let id = match path.split('/').nth(2) {
            Some("users") => &self.user,
            Some("components" | "v1") => &self.component,
            _ => NO_ID,
        };
        // The form of the file is the one parameter without which there is no such page.
        let path = path.replace("/components/export", "/components/export?format=csv");
        let column = if path.contains("/dates/") { "created_at" } else { "manufacturer" };
        let path = path.replace("{column}", column).replace("{field}", "name");
        path.replace("{id}", id).replace("{slug}", "unauthorized")
    }
}

/// An answer in the words of the page.
fn word(method: &Method, path: &str, response: &Response) -> &'static str {
    let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
    let status = response.status();
    match status {
        StatusCode::UNAUTHORIZED if path.starts_with("/admin") => "sign in",
        StatusCode::UNAUTHORIZED => "401",
        StatusCode::FORBIDDEN => "403",
        _ if location.is_some_and(|to| to.starts_with("/admin/sign-in?next=")) => "sign in",
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::TOO_MANY_REQUESTS => panic!("{method} {path}: {status}"),
        _ if status.is_server_error() => panic!("{method} {path}: {status}"),
        // What there is to look at was looked at.
        _ if *method == Method::GET && status.is_client_error() => panic!("{method} {path}: {status}"),
        _ => "yes",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_open_to_those_whom_the_table_names() {
    let rows = rows("The web admin");
    for database in TestDatabase::each() {
        let subject = Subject::on(&database).await;
        let mut served = BTreeSet::new();
        let mut asset = None;
        for path in Admin::paths() {
            let row = if path.starts_with(ASSETS.0) { ASSETS.1 } else { path };
            asset = asset.or(path.starts_with(ASSETS.0).then_some(path));
            // Who is not signed in changes nothing by asking, and is refused otherwise where there is no such route.
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                let response = subject.ask(&method, &subject.filled(path), &Who::Nobody).await;
                if response.status() != StatusCode::METHOD_NOT_ALLOWED {
                    served.insert((method.to_string(), row.to_owned()));
                }
            }
        }
        assert_complete(&rows, &served);

        let bearer = Who::Token(subject.token(None, &SCOPES));
        let mut sessions = BTreeMap::from([("no one", Who::Nobody)]);
        for role in ROLES {
            sessions.insert(role, subject.sign_in(role).await);
        }
        for Row { method, path, answers } in &rows {
            let filled = if path == ASSETS.1 { asset.unwrap().to_owned() } else { subject.filled(path) };
            for (who, expected) in answers {
                // Signing out ends the session, so it is used once.
                let session = match (path.as_str(), who.as_str()) {
                    ("/admin/sign-out", role @ ("viewer" | "editor" | "admin")) => {
                        subject.sign_in(role).await
                    }
                    (_, who) => sessions[who].clone(),
                };
                let check = async |path: &str, expected: &str| {
                    let response = subject.ask(method, path, &session).await;
                    assert_eq!(word(method, path, &response), expected, "{method} {path} as {who}");
                };
                if path.starts_with("/admin/import/{id}") {
                    // Nobody finds the uploads of others, so each asks for their own.
                    check(&path.replace("{id}", &subject.upload(&session).await), expected).await;
                } else if path.starts_with("/admin/tokens/{id}") {
                    // Each is good for one check: some of these revoke it.
                    let own = subject.token_id(Some(who.as_str()).filter(|who| *who != "no one")).await;
                    let other = subject.token_id(Some("spare")).await;
                    let (yes, no) = match expected.as_str() {
                        "own" => ("yes", "403"),
                        expected => (expected, expected),
                    };
                    check(&path.replace("{id}", &own), yes).await;
                    check(&path.replace("{id}", &other), no).await;
                } else {
                    check(&filled, expected).await;
                }
            }
            let response = subject.ask(method, &filled, &bearer).await;
            assert_eq!(word(method, path, &response), answers["no one"], "{method} {path} with a token");
        }
        subject.server.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_is_open_to_the_tokens_that_the_table_names() {
    let rows = rows("The API");
    let document = serde_json::to_value(inventory::openapi()).unwrap();
    let mut served: BTreeSet<_> = BESIDE.iter().map(|path| ("GET".to_owned(), (*path).to_owned())).collect();
    for (path, item) in document["paths"].as_object().unwrap() {
        served.extend(item.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())));
    }
    assert_complete(&rows, &served);
    for database in TestDatabase::each() {
        let subject = Subject::on(&database).await;
        let mut tokens = BTreeMap::from([("no one".to_owned(), Who::Nobody)]);
        for role in ROLES {
            tokens.insert(role.to_owned(), Who::Token(subject.token(Some(role), &SCOPES)));
        }
        for scope in SCOPES {
            tokens.insert(format!("`{scope}`"), Who::Token(subject.token(None, &[scope])));
        }
        let session = subject.sign_in("admin").await;
        for Row { method, path, answers } in &rows {
            let path = subject.filled(path);
            for (who, expected) in answers {
                let response = subject.ask(method, &path, &tokens[who]).await;
                assert_eq!(word(method, &path, &response), expected, "{method} {path} as {who}");
            }
            let response = subject.ask(method, &path, &session).await;
            assert_eq!(word(method, &path, &response), answers["no one"], "{method} {path} with a session");
        }
        subject.server.stop();
    }
}
