//! What requests add to the metrics.

use axum::{
    body::{Body, to_bytes},
    http::{Request, header},
};
use inventory_admin::Admin;

use crate::{database::TestDatabase, visitor::Site};

/// Samples that a scrape has at most after anyone without a token asked for everything.
const MAX_SAMPLES: usize = 3_000;
/// Its size then, in bytes.
const MAX_BYTES: usize = 300_000;
/// What the API serves beside what its OpenAPI document names.
const BESIDE: [&str; 5] = ["/metrics/", "/metrics", "/openapi.json", "/api/openapi.json", "/api/docs/"];
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

/// Every route of the service, as its template says it.
fn routes() -> Vec<String> {
    let document = inventory::openapi();
    let documented = document.paths.paths.keys().cloned();
    documented.chain(BESIDE.iter().chain(&Admin::paths()).map(ToString::to_string)).collect()
}

async fn scrape(site: &Site) -> String {
    let response = site.respond(Request::get("/metrics/").body(Body::empty()).unwrap()).await;
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

fn samples(scrape: &str) -> impl Iterator<Item = &str> {
    scrape.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The value of a label, and nothing where the series has no such label.
fn label<'a>(sample: &'a str, name: &str) -> &'a str {
    let Some((_, rest)) = sample.split_once(&format!("{name}=\"")) else { return "" };
    rest.split_once('"').unwrap().0
}

#[tokio::test]
async fn who_has_no_token_cannot_fill_the_metrics() {
    let site = Site::on(TestDatabase::sqlite()).await;
    let huge = "x".repeat(40_000);
    let headers =
        [None, Some((header::AUTHORIZATION, "Bearer wrong")), Some((header::COOKIE, huge.as_str()))];
    for route in routes() {
        let path = route.replace("{id}", "00000000-0000-4000-8000-000000000000").replace(['{', '}'], "");
        for method in METHODS {
            for header in &headers {
                let mut request = Request::builder().method(method).uri(&path);
                if let Some((name, value)) = header {
                    request = request.header(name, *value);
                }
                site.respond(request.body(Body::empty()).unwrap()).await;
            }
        }
    }
    let scrape = scrape(&site).await;
    let count = samples(&scrape).count();
    assert!(
        count <= MAX_SAMPLES && scrape.len() <= MAX_BYTES,
        "a scrape has {count} samples and {} bytes",
        scrape.len()
    );
    // What was refused before a handler has no route, and neither has a method that no route declares.
    for sample in samples(&scrape).filter(|sample| sample.starts_with("http_server_request_duration_seconds"))
    {
        let status = label(sample, "http_response_status_code");
        let (method, route) = (label(sample, "http_request_method"), label(sample, "http_route"));
        assert!(route.is_empty() || !["401", "405", "431"].contains(&status), "{sample}");
        assert!(route.is_empty() || method != "_OTHER", "{sample}");
        assert!(!["HEAD", "PUT", "OPTIONS", "TRACE", "CONNECT"].contains(&method), "{sample}");
    }
    // A request that reaches a handler has its route.
    for (method, route, status) in [
        ("GET", "/livez", "200"),
        ("GET", "/admin/sign-in", "200"),
        ("GET", "/metrics/", "200"),
        ("GET", "/problems/{slug}", "404"),
    ] {
        let found = samples(&scrape).any(|sample| {
            label(sample, "http_request_method") == method
                && label(sample, "http_route") == route
                && label(sample, "http_response_status_code") == status
        });
        assert!(found, "{method} {route} {status}");
    }
}
