//! The web admin of a process that is killed: what it was at is done or not, and nothing is half done.

use std::time::Duration;

use reqwest::{Client, StatusCode, Url, redirect::Policy};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    command::run,
    database::TestDatabase,
    server::{Server, TOKEN},
};

/// The password of the first user.
const PASSWORD: &str = "correct horse battery";
/// Components that are deleted at once.
const COMPONENTS: usize = 10_000;
/// How many the API takes in one request.
const BATCH: usize = 1000;

/// Somebody at the admin.
#[derive(Clone)]
struct Visitor {
    client: Client,
    base: String,
    session: String,
}

impl Visitor {
    fn new(server: &Server) -> Self {
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { client, base: server.base.clone(), session: String::new() }
    }

    /// Posts a form; nothing where the server went away.
    async fn post(&self, path: &str, form: &[(String, String)]) -> Option<reqwest::Response> {
        let mut url = Url::parse("http://localhost/").unwrap();
        url.query_pairs_mut().extend_pairs(form);
        let request = self.client.post(format!("{}{path}", self.base)).header("cookie", &self.session);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(url.query().unwrap().to_owned()).send().await.ok()
    }

    /// Signs in; nothing where the server went away.
    async fn sign_in(&mut self) -> Option<()> {
        let answer = self.post("/admin/sign-in", &form(&[("name", "admin"), ("password", PASSWORD)])).await?;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let cookies = answer.headers().get_all("set-cookie").iter();
        let cookies = cookies.filter_map(|cookie| cookie.to_str().unwrap().split(';').next());
        self.session = cookies.collect::<Vec<_>>().join("; ");
        Some(())
    }
}

fn form(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What a form repeats from the page that it is on.
fn hidden_fields(page: &str) -> Vec<(String, String)> {
    let attribute = |input: &str, name: &str| {
        let value = input.split_once(&format!("{name}=\""))?.1.split('"').next()?;
        Some(value.replace("&#34;", "\"").replace("&#38;", "&").replace("&amp;", "&"))
    };
    let form = page.split("<form").find(|form| form.contains("/admin/components/bulk/run")).unwrap();
    form.split("<input type=\"hidden\"")
        .skip(1)
        .map(|input| (attribute(input, "name").unwrap(), attribute(input, "value").unwrap()))
        .collect()
}

fn start(database: &TestDatabase) -> Server {
    let variables = [("INVENTORY_BOOTSTRAP_TOKEN", TOKEN), ("INVENTORY_ADMIN_PASSWORD", PASSWORD)];
    Server::start_with(database, &variables)
}

fn count(database: &TestDatabase) -> usize {
    database.shell("SELECT count(*) FROM component").trim().parse().unwrap()
}

fn assert_sound(database: &TestDatabase, round: u64) {
    let report = run(database, &["check"]);
    assert_eq!(report.code, 0, "round {round}: {}{}", report.stdout, report.stderr);
}

/// Waits for a moment that differs from round to round. It decides where the kill falls, and nothing else.
async fn some_moment(round: u64, longest: u64) {
    let moment = fastrand::Rng::with_seed(round).u64(1..longest);
    tokio::time::sleep(Duration::from_millis(moment)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_leaves_all_or_none_of_what_is_deleted_at_once() {
    for database in TestDatabase::each() {
        for round in 0..5 {
            let server = start(&database);
            while count(&database) < COMPONENTS {
                let create = json!({"op": "create", "component": {"name": "a", "manufacturer": "doomed"}});
                let (status, body) = server
                    .api
                    .post("/api/v1/components/batch", &json!({"operations": vec![create; BATCH]}))
                    .await;
                assert_eq!(status, StatusCode::OK, "{body}");
            }
            let mut visitor = Visitor::new(&server);
            visitor.sign_in().await.unwrap();
            let everything =
                form(&[("list.manufacturer", "doomed"), ("everything", "1"), ("action", "delete")]);
            let answer = visitor.post("/admin/components/bulk", &everything).await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            let confirmed = hidden_fields(&answer.text().await.unwrap());
            let deletion =
                tokio::spawn(async move { visitor.post("/admin/components/bulk/run", &confirmed).await });
            some_moment(round, 3000).await;
            server.kill();
            let answered = deletion.await.unwrap();
            if let Some(answer) = &answered {
                assert_eq!(answer.status(), StatusCode::SEE_OTHER);
            }
            assert_sound(&database, round);
            let left = count(&database);
            assert!(
                left == 0 || (left == COMPONENTS && answered.is_none()),
                "round {round}: {left} are left"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_leaves_no_sign_in_half_done() {
    for database in TestDatabase::each() {
        for round in 0..5 {
            let server = start(&database);
            let mut people = JoinSet::new();
            for _ in 0..3 {
                let mut visitor = Visitor::new(&server);
                people.spawn(async move {
                    while visitor.sign_in().await.is_some() {}
                    visitor
                });
            }
            some_moment(round, 1500).await;
            server.kill();
            let people = people.join_all().await;
            assert_sound(&database, round);
            // Every visitor whose sign-in was answered has a session.
            let server = start(&database);
            for Visitor { client, session, .. } in people.iter().filter(|visitor| !visitor.session.is_empty())
            {
                let request = client.get(format!("{}/admin/", server.base)).header("cookie", session);
                assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
            }
            server.stop();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_leaves_all_or_none_of_an_import() {
    const ROWS: usize = 4000;
    let rows: Vec<_> = (0..ROWS).map(|number| format!("S-{number},Part {number}")).collect();
    let part = "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n";
    let upload = format!("{part}sku,name\n{}\r\n--x--\r\n", rows.join("\n"));
    for database in TestDatabase::each() {
        for round in 0..5 {
            let server = start(&database);
            let mut visitor = Visitor::new(&server);
            visitor.sign_in().await.unwrap();
            let request = visitor.client.post(format!("{}/admin/import", server.base));
            let request = request.header("cookie", &visitor.session);
            let request = request.header("content-type", "multipart/form-data; boundary=x");
            let answer = request.body(upload.clone()).send().await.unwrap();
            let path = answer.headers()["location"].to_str().unwrap().to_owned();
            let (importer, run) = (visitor.clone(), format!("{path}/run"));
            let import = tokio::spawn(async move { importer.post(&run, &form(&[("plan", "1")])).await });
            some_moment(round, 1500).await;
            server.kill();
            let _answered = import.await.unwrap();
            let there = count(&database);
            assert!(there == 0 || there == ROWS, "round {round}: {there} are there");
            // Another process continues: it compares the file again and finds the rows that are already
            // imported.
            let server = start(&database);
            let visitor = Visitor { base: server.base.clone(), ..visitor };
            let get = async |path: &str| {
                let request = visitor.client.get(format!("{}{path}", server.base));
                let answer = request.header("cookie", &visitor.session).send().await.unwrap();
                assert_eq!(answer.status(), StatusCode::OK);
                answer.text().await.unwrap()
            };
            if !get(&path).await.contains("a.csv was imported") {
                let answer = visitor.post(&format!("{path}/preview"), &[]).await.unwrap();
                assert_eq!(answer.status(), StatusCode::SEE_OTHER);
                let expected = if there == 0 { "<b>4,000</b> Create" } else { "<b>4,000</b> Unchanged" };
                assert!(get(&path).await.contains(expected), "round {round}: {there} are there");
            }
            server.stop();
            database.shell("DELETE FROM component");
        }
    }
}
