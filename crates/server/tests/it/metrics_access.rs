//! Who may read `/metrics/`.

use reqwest::StatusCode;

use crate::{
    command::{run, run_with},
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
    // An API token opens them if it has the scope.
    for (scope, status) in [("metrics", StatusCode::OK), ("write", StatusCode::FORBIDDEN)] {
        let secret = run(&database, &["token", "create", scope, "--scope", scope]).ok();
        assert_eq!(scrape(&server.base, Some(secret.trim_end())).await.0, status, "{scope}");
    }
    assert_eq!(scrape(&server.base, Some("a-token-that-there-is-not")).await.0, StatusCode::UNAUTHORIZED);
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
        assert_eq!(scrape(&server.base, Some("a-token-that-there-is-not")).await.0, StatusCode::UNAUTHORIZED);
        // The bootstrap token opens everything.
        assert_eq!(scrape(&server.base, Some(TOKEN)).await.0, StatusCode::OK);
        assert_eq!(scrape(&server.base, Some(METRICS_TOKEN)).await.0, StatusCode::OK);
        // And it opens nothing else.
        let components = client().get(format!("{}/api/v1/components", server.base));
        let answer = components.bearer_auth(METRICS_TOKEN).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_token_is_also_a_password() {
    let database = TestDatabase::sqlite();
    let server = Server::start_with(&database, &[BOOTSTRAP, ("INVENTORY_METRICS_TOKEN", METRICS_TOKEN)]);
    let ask = async |user: &str, password: &str| {
        let request = client().get(format!("{}/metrics/", server.base));
        request.basic_auth(user, Some(password)).send().await.unwrap()
    };
    assert_eq!(ask("metrics", METRICS_TOKEN).await.status(), StatusCode::OK);
    for (user, password) in [
        ("metrics", "a-token-that-there-is-not"),
        ("metrics", ""),
        ("admin", METRICS_TOKEN),
        ("", METRICS_TOKEN),
        (METRICS_TOKEN, ""),
    ] {
        let answer = ask(user, password).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{user}:{password}");
        let offered: Vec<_> = answer.headers().get_all("www-authenticate").iter().collect();
        assert_eq!(
            offered,
            ["Bearer realm=\"inventory\"", "Basic realm=\"inventory metrics\", charset=\"UTF-8\""]
        );
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_token_cannot_be_guessed_fast() {
    let database = TestDatabase::sqlite();
    let server = Server::start_with(&database, &[BOOTSTRAP, ("INVENTORY_METRICS_TOKEN", METRICS_TOKEN)]);
    let client = client();
    let mut refused = false;
    for guess in 0..200 {
        let request = client.get(format!("{}/metrics/", server.base)).bearer_auth(format!("guess-{guess}"));
        refused |= request.send().await.unwrap().status() == StatusCode::TOO_MANY_REQUESTS;
    }
    assert!(refused);
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_behind_a_proxy_does_not_open_the_metrics() {
    let database = TestDatabase::sqlite();
    let server = Server::start_with(&database, &[BOOTSTRAP, ("INVENTORY_TRUSTED_PROXIES", "127.0.0.1")]);
    assert_eq!(scrape(&server.base, None).await.0, StatusCode::FORBIDDEN);
    server.stop();
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

    // A token is asked for there, too.
    let token = ("INVENTORY_METRICS_TOKEN", METRICS_TOKEN);
    let server = Server::start_with(&database, &[EVERYWHERE, BOOTSTRAP, own, token]);
    let metrics = server.greeting.lines().find_map(|line| line.strip_prefix("Metrics on ")).unwrap();
    let base = metrics.strip_suffix("/metrics/").unwrap();
    assert_eq!(scrape(base, None).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(scrape(base, Some(METRICS_TOKEN)).await.0, StatusCode::OK);
    server.stop();
}

#[test]
fn a_contradiction_stops_the_start() {
    let database = TestDatabase::sqlite();
    let variables = [("INVENTORY_METRICS_TOKEN", METRICS_TOKEN), ("INVENTORY_METRICS_PUBLIC", "true")];
    let complaint = run_with(&database, &["serve"], &variables, b"").failed(2);
    assert!(complaint.contains("INVENTORY_METRICS_PUBLIC and INVENTORY_METRICS_TOKEN"), "{complaint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_name_does_not_open_the_metrics_of_a_loopback_listener() {
    let database = TestDatabase::sqlite();
    let own = ("INVENTORY_METRICS_LISTEN", "127.0.0.1:0");
    let ask = async |base: &str, host: &str, token: Option<&str>| {
        let mut request = client().get(format!("{base}/metrics/")).header("host", host);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    };
    let server = Server::start_with(&database, &[BOOTSTRAP, own]);
    let metrics = server.greeting.lines().find_map(|line| line.strip_prefix("Metrics on ")).unwrap();
    for base in [server.base.as_str(), metrics.strip_suffix("/metrics/").unwrap()] {
        for host in
            ["localhost", "LOCALHOST:8000", "inventory.localhost", "127.0.0.1", "127.1.2.3:80", "[::1]:8000"]
        {
            assert_eq!(ask(base, host, None).await.0, StatusCode::OK, "{host}");
        }
        // A page of another site whose name was made to lead here.
        for host in
            ["rebound.example", "rebound.example:8000", "192.0.2.1", "localhost.example", "[2001:db8::1]", ""]
        {
            let (status, text) = ask(base, host, None).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{host}");
            for variable in ["INVENTORY_METRICS_PUBLIC", "INVENTORY_METRICS_TOKEN"] {
                assert!(text.contains(variable), "{text}");
            }
        }
        assert_eq!(ask(base, "rebound.example", Some(TOKEN)).await.0, StatusCode::OK);
        assert_eq!(ask(base, "rebound.example", Some("no-such-token")).await.0, StatusCode::UNAUTHORIZED);
    }
    server.stop();
    for variable in [("INVENTORY_METRICS_PUBLIC", "true"), ("INVENTORY_METRICS_TOKEN", METRICS_TOKEN)] {
        let server = Server::start_with(&database, &[BOOTSTRAP, variable]);
        assert_eq!(ask(&server.base, "rebound.example", Some(METRICS_TOKEN)).await.0, StatusCode::OK);
        server.stop();
    }
}
