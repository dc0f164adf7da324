//! Who may read `/metrics/`.

use reqwest::StatusCode;

use crate::{
    command::run_with,
    database::TestDatabase,
    server::{Server, TOKEN, client},
};

const METRICS_TOKEN: &str = "the-token-of-prometheus";
/// Every address of this machine: a listener that others can reach.
const EVERYWHERE: (&str, &str) = ("INVENTORY_LISTEN", "0.0.0.0:0");
const BOOTSTRAP: (&str, &str) = ("INVENTORY_BOOTSTRAP_TOKEN", TOKEN);

async fn scrape(base: &str, token: Option<&str>) -> (StatusCode, String) {
    let mut answers = Vec::new();
    for path in ["/metrics/", "/metrics"] {
        let mut request = client().get(format!("{base}{path}"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        answers.push((response.status(), response.text().await.unwrap()));
    }
    assert_eq!(answers[0].0, answers[1].0, "the slash makes a difference");
    answers.swap_remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loopback_listener_lets_everyone_scrape() {
    let database = TestDatabase::sqlite();
    let server = Server::start(&database);
    let (status, text) = scrape(&server.base, None).await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains("\ninventory_components_created_total 0\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_listener_says_how_to_open_the_metrics() {
    let database = TestDatabase::sqlite();
    let server = Server::start_with(&database, &[EVERYWHERE, BOOTSTRAP]);
    let (status, text) = scrape(&server.base, None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    for variable in ["INVENTORY_METRICS_TOKEN", "INVENTORY_METRICS_LISTEN", "INVENTORY_METRICS_PUBLIC"] {
        assert!(text.contains(variable), "{text}");
    }
    // An API token is for the API.
    assert_eq!(scrape(&server.base, Some(TOKEN)).await.0, StatusCode::FORBIDDEN);
    assert_eq!(server.api.get("/api/v1/components").await.0, StatusCode::OK);
    drop(server);

    let server =
        Server::start_with(&database, &[EVERYWHERE, BOOTSTRAP, ("INVENTORY_METRICS_PUBLIC", "true")]);
    assert_eq!(scrape(&server.base, None).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_metrics_token_is_asked_for_on_every_listener() {
    let database = TestDatabase::sqlite();
    let metrics_token = ("INVENTORY_METRICS_TOKEN", METRICS_TOKEN);
    for listen in [EVERYWHERE, ("INVENTORY_LISTEN", "127.0.0.1:0")] {
        let server = Server::start_with(&database, &[listen, BOOTSTRAP, metrics_token]);
        assert_eq!(scrape(&server.base, None).await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(scrape(&server.base, Some(TOKEN)).await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(scrape(&server.base, Some(METRICS_TOKEN)).await.0, StatusCode::OK);
        // And it is good for nothing else.
        let components = client().get(format!("{}/api/v1/components", server.base));
        let answer = components.bearer_auth(METRICS_TOKEN).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_can_have_a_listener_of_their_own() {
    let database = TestDatabase::sqlite();
    let own = ("INVENTORY_METRICS_LISTEN", "127.0.0.1:0");
    let server = Server::start_with(&database, &[EVERYWHERE, BOOTSTRAP, own]);
    let metrics = server.greeting.lines().find_map(|line| line.strip_prefix("Metrics on ")).unwrap();
    let base = metrics.strip_suffix("/metrics/").unwrap();
    assert_ne!(base, server.base);
    assert_eq!(scrape(base, None).await.0, StatusCode::OK);
    // There is nothing else there, and the metrics are nowhere else.
    let components = client().get(format!("{base}/api/v1/components")).send().await.unwrap();
    assert_eq!(components.status(), StatusCode::NOT_FOUND);
    assert_ne!(scrape(&server.base, None).await.0, StatusCode::OK);
    server.stop();
}

#[test]
fn a_contradiction_stops_the_start() {
    let database = TestDatabase::sqlite();
    let variables = [("INVENTORY_METRICS_TOKEN", METRICS_TOKEN), ("INVENTORY_METRICS_PUBLIC", "true")];
    let complaint = run_with(&database, &["serve"], &variables, b"").failed(2);
    assert!(complaint.contains("INVENTORY_METRICS_PUBLIC and INVENTORY_METRICS_TOKEN"), "{complaint}");
}
