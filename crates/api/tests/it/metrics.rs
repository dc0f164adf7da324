//! `/metrics/`.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic, also in what tests share")]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
    process::{Command, Stdio},
};

use axum::{
    body::Body,
    http::{Method, Request},
};
use flate2::read::GzDecoder;
use inventory::{MetricsAccess, Options};
use inventory_core::{Actor, Scope};
use inventory_metrics::{CATALOGUE, Kind, Values};
use inventory_store::NewToken;
use serde_json::json;

use crate::{
    database::TestDatabase,
    service::{Answer, COMPONENTS, Service, WithJson},
};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A scrape, read.
#[derive(Debug)]
struct Scrape {
    text: String,
    families: Vec<Family>,
}

#[derive(Debug)]
struct Family {
    name: String,
    kind: String,
    help: String,
    /// By name and labels.
    samples: Vec<(String, f64)>,
}

impl Scrape {
    fn read(text: &str) -> Self {
        let mut families: Vec<Family> = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                families.push(Family {
                    name: name.into(),
                    kind: String::new(),
                    help: help.into(),
                    samples: vec![],
                });
                continue;
            }
            let family = families.last_mut().unwrap();
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                family.kind = kind.strip_prefix(&format!("{} ", family.name)).unwrap().into();
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                assert!(series.starts_with(&family.name), "{line} is not of {}", family.name);
                family.samples.push((series.into(), value.parse().unwrap()));
            }
        }
        Self { text: text.to_owned(), families }
    }

    fn samples(&self) -> BTreeMap<&str, f64> {
        let samples = self.families.iter().flat_map(|family| &family.samples);
        samples.map(|(series, value)| (series.as_str(), *value)).collect()
    }

    #[track_caller]
    fn sample(&self, series: &str) -> f64 {
        *self.samples().get(series).unwrap_or_else(|| panic!("there is no {series} in {}", self.text))
    }

    #[track_caller]
    fn assert(&self, series: &str, expected: f64) {
        let value = self.sample(series);
        assert!((value - expected).abs() < 1e-9, "{series} is {value} and not {expected}");
    }
}

fn get(path: &str) -> Request<Body> {
    Request::builder().uri(path).body(Body::empty()).unwrap()
}

async fn scrape(service: &Service) -> Scrape {
    let answer = service.send(get("/metrics/")).await;
    assert_eq!(answer.status, 200);
    Scrape::read(std::str::from_utf8(&answer.body).unwrap())
}

#[tokio::test]
async fn a_fresh_scrape_is_the_catalogue() {
    let service = Service::sqlite().await;
    let scrape = scrape(&service).await;
    let mut scraped: Vec<_> = scrape.families.iter().map(|family| family.name.as_str()).collect();
    scraped.sort_unstable();
    let mut catalogue: Vec<_> = CATALOGUE.iter().map(|metric| metric.name).collect();
    catalogue.sort_unstable();
    assert_eq!(scraped, catalogue);
    for family in &scrape.families {
        let metric = CATALOGUE.iter().find(|metric| metric.name == family.name).unwrap();
        assert_eq!((family.kind.as_str(), family.help.as_str()), (metric.kind.as_str(), metric.help));
        let requests_measured = family.name == "http_server_request_duration_seconds";
        assert_eq!(family.samples.is_empty(), requests_measured, "{}", family.name);
        for (series, _) in &family.samples {
            let mut keys = label_names(series);
            keys.remove("le");
            for label in metric.labels {
                let may_be_absent = matches!(label.values, Values::OneOf(known) if known.contains(&""));
                assert!(keys.remove(label.name) || may_be_absent, "{series} has no {}", label.name);
            }
            assert!(keys.is_empty(), "{series} has labels that are not in the catalogue");
        }
        assert_closed_sets_are_complete(family);
    }
}

/// Every value of a closed set is there, be it at zero.
fn assert_closed_sets_are_complete(family: &Family) {
    let metric = CATALOGUE.iter().find(|metric| metric.name == family.name).unwrap();
    for label in metric.labels {
        let Values::OneOf(known) = label.values else { continue };
        if matches!(metric.kind, Kind::Histogram(_)) {
            continue;
        }
        for value in known {
            let wanted = format!("{}=\"{value}\"", label.name);
            let has = |series: &str| match *value {
                "" => !series.contains(label.name),
                _ => series.contains(&wanted),
            };
            assert!(family.samples.iter().any(|(series, _)| has(series)), "{wanted}");
        }
    }
}

fn label_names(series: &str) -> BTreeSet<&str> {
    let Some((_, labels)) = series.split_once('{') else { return BTreeSet::new() };
    labels.trim_end_matches('}').split(',').map(|label| label.split_once('=').unwrap().0).collect()
}

#[tokio::test]
async fn the_domain_part_is_written_like_this() {
    let service = Service::sqlite().await;
    let (path, _) = service.created(json!({ "name": "74HC00" })).await;
    service.created(json!({ "name": "74HC02" })).await;
    service.patch(&path, "*", &json!({ "name": "74HC04" })).await;
    service.delete(&path, "*").await;
    let scrape = scrape(&service).await;
    // Families come in any order, with an empty line between them.
    let mut families: Vec<_> = scrape.text.trim_end().split("\n\n").collect();
    families.retain(|family| family.starts_with("# HELP inventory_components"));
    families.sort_unstable();
    let expected = "\
# HELP inventory_components Current number of components in inventory, under a name that promtool accepts for a gauge
# TYPE inventory_components gauge
inventory_components 1

# HELP inventory_components_count_drift The stored count of components minus the rows that the last audit counted: 0 when healthy
# TYPE inventory_components_count_drift gauge
inventory_components_count_drift 0

# HELP inventory_components_created_total Total number of components created
# TYPE inventory_components_created_total counter
inventory_components_created_total 2

# HELP inventory_components_deleted_total Total number of components deleted
# TYPE inventory_components_deleted_total counter
inventory_components_deleted_total 1

# HELP inventory_components_total Current total number of components in inventory
# TYPE inventory_components_total gauge
inventory_components_total 1

# HELP inventory_components_updated_total Total number of components updated
# TYPE inventory_components_updated_total counter
inventory_components_updated_total 1";
    assert_eq!(families.join("\n\n"), expected);
    assert!(scrape.text.ends_with('\n') && !scrape.text.ends_with("\n\n"));
}

#[tokio::test]
async fn promtool_finds_what_is_known_and_nothing_else() {
    let service = Service::sqlite().await;
    service.created(json!({ "name": "74HC00" })).await;
    service.get("/nowhere").await;
    let text = scrape(&service).await.text;
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = match promtool {
        Ok(promtool) => promtool,
        Err(error) => return skip(&format!("promtool cannot be run: {error}")),
    };
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let findings = [output.stdout, output.stderr].concat();
    assert_eq!(
        String::from_utf8_lossy(&findings).trim(),
        "inventory_components_total non-counter metrics should not have \"_total\" suffix"
    );
}

/// Says why a test is not run. Where everything is to be run, that is a failure.
fn skip(reason: &str) {
    // Past the capture of the test harness, so that it can be read.
    let mut stderr = std::io::stderr();
    writeln!(stderr, "SKIPPED: {reason}").unwrap();
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "with CI=true nothing may be skipped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrape_shows_every_write_that_was_answered_before_it() {
    for database in TestDatabase::each() {
        let service = Service::on(database).await;
        let name = |number: u32| json!({ "name": format!("74HC{number}") });
        for number in 1..=200_u32 {
            let (path, _) = service.created(name(number)).await;
            let after = scrape(&service).await;
            after.assert("inventory_components_created_total", f64::from(number));
            after.assert("inventory_components_total", f64::from(number - number / 10));
            if number % 10 == 9 {
                service.delete(&path, "*").await;
                let after = scrape(&service).await;
                after.assert("inventory_components_deleted_total", f64::from(number / 10 + 1));
                after.assert("inventory_components_total", f64::from(number - number / 10 - 1));
            }
        }
        let last = scrape(&service).await;
        last.assert("inventory_metrics_barrier_timeouts_total", 0.0);
        last.assert("inventory_log_head_seq", last.sample("inventory_bus_head_seq"));
        service.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_every_scrape_is_one_moment() {
    for database in TestDatabase::each() {
        let service = std::sync::Arc::new(Service::on(database).await);
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..8 {
            let service = std::sync::Arc::clone(&service);
            writers.spawn(async move {
                for number in 0..25 {
                    let (path, _) = service.created(json!({ "name": format!("{writer}-{number}") })).await;
                    if number % 3 == 0 {
                        service.delete(&path, "*").await;
                    }
                }
            });
        }
        let mut scrapes = 0;
        while !writers.is_empty() {
            let now = scrape(&service).await;
            let created = now.sample("inventory_components_created_total");
            let deleted = now.sample("inventory_components_deleted_total");
            now.assert("inventory_components_total", created - deleted);
            scrapes += 1;
            while let Some(writer) = writers.try_join_next() {
                writer.unwrap();
            }
        }
        let last = scrape(&service).await;
        last.assert("inventory_components_created_total", 200.0);
        last.assert("inventory_components_deleted_total", 72.0);
        assert!(scrapes > 3, "{scrapes} scrapes are not many");
    }
}

/// Takes a database away from those who have it open.
fn destroy(database: &TestDatabase) {
    match database {
        TestDatabase::Sqlite { directory } => {
            // An open file does not go away with its name, so what is in it has to go.
            for file in ["inventory.db", "inventory.db-wal"] {
                std::fs::write(directory.path().join(file), b"nothing").unwrap();
            }
        }
        TestDatabase::Postgres { server, name } => {
            let drop = format!("DROP DATABASE {name} WITH (FORCE)");
            let psql = Command::new("psql").args([&format!("{server}/postgres"), "-qc", &drop]).status();
            assert!(psql.unwrap().success());
        }
    }
}

#[tokio::test]
async fn without_the_database_a_scrape_still_answers() {
    for database in TestDatabase::each() {
        let service = Service::on(database).await;
        service.created(json!({ "name": "74HC00" })).await;
        scrape(&service).await.assert("inventory_collector_success{collector=\"database\"}", 1.0);
        destroy(&service.database);
        let began = std::time::Instant::now();
        let without = scrape(&service).await;
        assert!(began.elapsed().as_secs() < 2, "{:?}", began.elapsed());
        without.assert("inventory_collector_success{collector=\"database\"}", 0.0);
        without.assert("inventory_components_created_total", 1.0);
        for gauge in ["inventory_components_total", "inventory_components", "inventory_log_head_seq"] {
            assert!(without.sample(gauge).is_nan(), "{gauge}");
            assert!(without.text.contains(&format!("\n{gauge} NaN\n")));
        }
    }
}

#[tokio::test]
async fn both_paths_and_head_answer_and_other_methods_do_not() {
    let service = Service::sqlite().await;
    for path in ["/metrics/", "/metrics"] {
        let answer = service.send(get(path)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), TEXT);
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(!answer.body.is_empty());
        let head = Request::builder().method(Method::HEAD).uri(path).body(Body::empty()).unwrap();
        let answer = service.send(head).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
        assert_eq!(answer.header("content-type"), TEXT);
        let post = Request::builder().method(Method::POST).uri(path).body(Body::empty()).unwrap();
        let answer = service.send(post).await;
        answer.problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), "GET,HEAD");
    }
}

#[tokio::test]
async fn the_text_is_compressed_for_who_asks() {
    let service = Service::sqlite().await;
    let ask = async |encoding: &str| {
        let request = Request::builder().uri("/metrics/").header("accept-encoding", encoding);
        service.send(request.body(Body::empty()).unwrap()).await
    };
    for encoding in ["gzip", "deflate, GZIP;q=0.5", "br , gzip ; q=1"] {
        let answer = ask(encoding).await;
        assert_eq!(answer.header("content-encoding"), "gzip", "{encoding}");
        assert_eq!((answer.header("content-type"), answer.header("vary")), (TEXT, "accept-encoding"));
        let mut text = String::new();
        GzDecoder::new(&*answer.body).read_to_string(&mut text).unwrap();
        assert!(Scrape::read(&text).families.len() == CATALOGUE.len());
        assert!(answer.body.len() * 2 < text.len());
    }
    for encoding in ["identity", "gzip;q=0", "br", "*;q=0, identity", "x-gzipped"] {
        let answer = ask(encoding).await;
        assert!(!answer.headers.contains_key("content-encoding"), "{encoding}");
        assert!(answer.body.starts_with(b"# HELP "));
    }
}

#[tokio::test]
async fn what_a_scraper_asks_for_beyond_reason_is_no_error() {
    let service = Service::sqlite().await;
    for timeout in ["10", "0.25", "1e300", "-1", "NaN", "0", "soon", ""] {
        let request = Request::builder()
            .uri("/metrics/")
            .header("x-prometheus-scrape-timeout-seconds", timeout)
            .header("accept", "application/openmetrics-text;version=1.0.0,*/*;q=0.1");
        let answer = service.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, TEXT), "{timeout}");
    }
}

async fn with_access(metrics_access: MetricsAccess) -> Service {
    Service::with(TestDatabase::sqlite(), Options { metrics_access, ..Options::default() }).await
}

#[tokio::test]
async fn a_closed_listener_says_what_would_open_it() {
    let service = with_access(MetricsAccess::Closed).await;
    let problem = service.send(get("/metrics/")).await.problem(403, "forbidden");
    for variable in ["INVENTORY_METRICS_TOKEN", "INVENTORY_METRICS_LISTEN", "INVENTORY_METRICS_PUBLIC"] {
        assert!(problem["detail"].as_str().unwrap().contains(variable), "{problem}");
    }
    // Not even to those who may change components; only who has a token for it is let in.
    let (write, metrics) = (token(&service, Scope::Write).await, token(&service, Scope::Metrics).await);
    ask(&service, &format!("Bearer {write}")).await.problem(403, "insufficient-scope");
    assert_eq!(ask(&service, &format!("Bearer {metrics}")).await.status, 200);
}

/// The secret of a new API token.
async fn token(service: &Service, scope: Scope) -> String {
    let token = NewToken::new(scope.as_str(), [scope]);
    service.store.tokens().create(token, Actor::cli()).await.unwrap().1
}

async fn ask(service: &Service, authorization: &str) -> Answer {
    let request = Request::builder().uri("/metrics/").header("authorization", authorization);
    service.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_token_opens_the_metrics_and_nothing_else_does() {
    let service = with_access(MetricsAccess::token("a-token-for-prometheus")).await;
    service.send(get("/metrics/")).await.problem(401, "unauthorized");
    for wrong in ["Bearer", "Bearer ", "Bearer a-token", "Bearer a-token-for-prometheus2", "Basic YTpi"] {
        ask(&service, wrong).await.problem(401, "unauthorized");
    }
    // Nor does the API token of somebody who may change components.
    for (scope, status) in
        [(Scope::Read, 403), (Scope::Write, 403), (Scope::Metrics, 200), (Scope::Admin, 200)]
    {
        let secret = token(&service, scope).await;
        assert_eq!(ask(&service, &format!("Bearer {secret}")).await.status, status, "{scope:?}");
    }
    for right in ["Bearer a-token-for-prometheus", "bearer a-token-for-prometheus"] {
        assert_eq!(ask(&service, right).await.status, 200);
    }
}

#[tokio::test]
async fn requests_are_measured_by_template_method_and_status() {
    let service = Service::sqlite().await;
    let (path, _) = service.created(json!({ "name": "74HC00" })).await;
    for _ in 0..3 {
        service.get(&path).await;
    }
    service.get("/nowhere/at/all").await;
    service.get("/elsewhere").await;
    service.get("/api/v1/components/").await;
    let odd = Request::builder().method("BREW").uri("/livez").body(Body::empty()).unwrap();
    service.send(odd).await;
    let scrape = scrape(&service).await;
    let count = |method: &str, route: &str, status: u16| {
        let route = if route.is_empty() { String::new() } else { format!("http_route=\"{route}\",") };
        format!(
            "http_server_request_duration_seconds_count{{http_request_method=\"{method}\",{route}http_response_status_code=\"{status}\"}}"
        )
    };
    scrape.assert(&count("POST", "/api/v1/components", 201), 1.0);
    scrape.assert(&count("GET", "/api/v1/components/{id}", 200), 3.0);
    scrape.assert(&count("GET", "/api/v1/components", 200), 1.0);
    scrape.assert(&count("GET", "", 404), 2.0);
    scrape.assert(&count("_OTHER", "", 405), 1.0);
    scrape.assert("inventory_http_requests_total{http_request_method=\"POST\"}", 1.0);
    scrape.assert("inventory_http_requests_total{http_request_method=\"GET\"}", 6.0);
    scrape.assert("inventory_http_requests_total{http_request_method=\"_OTHER\"}", 1.0);
    // The scrape itself.
    scrape.assert("http_server_active_requests", 1.0);
    for family in &scrape.families {
        for (series, _) in &family.samples {
            assert!(!series.contains("nowhere") && !series.contains(&path), "{series}");
        }
    }
}

#[tokio::test]
async fn errors_are_counted_from_zero_and_that_of_a_service_which_is_not_ready_is_none() {
    let options = Options { max_event_streams: 0, ..Options::default() };
    let service = Service::with(TestDatabase::sqlite(), options).await;
    let failed = "inventory_http_requests_total{http_request_method=\"GET\",error_type=\"503\"}";
    scrape(&service).await.assert(failed, 0.0);
    assert_eq!(service.get("/api/v1/events").await.status, 503);
    service.app.set_stopping();
    assert_eq!(service.get("/readyz").await.status, 503);
    let scrape = scrape(&service).await;
    scrape.assert(failed, 1.0);
    for (route, error_type) in [("/api/v1/events", ",error_type=\"503\""), ("/readyz", "")] {
        scrape.assert(
            &format!(
                "http_server_request_duration_seconds_count{{http_request_method=\"GET\",http_route=\"{route}\",http_response_status_code=\"503\"{error_type}}}"
            ),
            1.0,
        );
    }
}

#[tokio::test]
async fn an_event_stream_is_measured_until_its_head_and_counted_while_it_is_open() {
    let service = Service::sqlite().await;
    let request =
        Service::request(Method::GET, "/api/v1/events").header("host", "test").body(Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(service.router.clone(), request).await.unwrap();
    let open = scrape(&service).await;
    open.assert("inventory_event_streams", 1.0);
    open.assert("http_server_active_requests", 1.0);
    open.assert(
        "http_server_request_duration_seconds_count{http_request_method=\"GET\",http_route=\"/api/v1/events\",http_response_status_code=\"200\"}",
        1.0,
    );
    drop(response);
    scrape(&service).await.assert("inventory_event_streams", 0.0);
}

#[tokio::test]
async fn a_client_that_hangs_up_is_not_active_for_ever() {
    let service = Service::sqlite().await;
    let request =
        Service::request(Method::POST, COMPONENTS).header("host", "test").json(&json!({"name": "a"}));
    let mut response = Box::pin(tower::ServiceExt::oneshot(service.router.clone(), request));
    // One poll is not enough: the writer is a separate task on this one thread, so it cannot have answered.
    assert!(futures::poll!(&mut response).is_pending());
    scrape(&service).await.assert("http_server_active_requests", 2.0);
    drop(response);
    scrape(&service).await.assert("http_server_active_requests", 1.0);
}

#[tokio::test]
async fn when_the_service_has_stopped_a_scrape_says_so() {
    let service = Service::sqlite().await;
    service.store.close().await;
    let problem = service.send(get("/metrics/")).await.problem(503, "busy");
    assert_eq!(problem["detail"], "the service is shutting down");
}
