//! What browsers are told with every answer.

use std::net::IpAddr;

use axum::{
    body::Body,
    http::{Method, Request},
};
use inventory::Options;
use inventory_http::Connection;

use crate::{
    database::TestDatabase,
    service::{Answer, COMPONENTS, Service},
};

const PROXY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

#[tokio::test]
async fn every_answer_is_safe_to_show() {
    let service = Service::sqlite().await;
    let long = format!("/{}", "x".repeat(40_000));
    for (path, status) in [
        (COMPONENTS, 200),
        ("/api/v1/nothing", 404),
        ("/metrics/", 200),
        ("/livez", 200),
        ("/openapi.json", 200),
        (&long, 414),
    ] {
        let answer = service.get(path).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        assert_eq!(answer.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
    }
}

#[tokio::test]
async fn a_page_runs_no_script_that_is_written_into_it() {
    let service = Service::sqlite().await;
    let answer = service.get("/api/docs/").await;
    assert_eq!(answer.status, 200);
    let policy = answer.header("content-security-policy");
    let directive = |name: &str| policy.split("; ").find_map(|part| part.strip_prefix(name)).map(str::trim);
    assert_eq!(directive("default-src"), Some("'none'"), "{policy}");
    assert_eq!(directive("script-src"), Some("'self'"), "{policy}");
    assert_eq!(directive("frame-ancestors"), Some("'none'"), "{policy}");
    assert!(!policy.contains("unsafe-eval"), "{policy}");
}

/// The answer to a request that came over a connection through a trusted proxy, which says this protocol.
async fn by(tls: bool, peer: IpAddr, protocol: &str) -> Answer {
    let options = Options { trusted_proxies: PROXY.to_string().parse().unwrap(), ..Options::default() };
    let service = Service::with(TestDatabase::sqlite(), options).await;
    let request = Request::builder()
        .method(Method::GET)
        .uri("/livez")
        .extension(Connection { peer, tls })
        .header("x-forwarded-proto", protocol)
        .body(Body::empty())
        .unwrap();
    service.send(request).await
}

#[tokio::test]
async fn who_came_by_tls_is_told_to_come_so_again() {
    let stranger = IpAddr::from([203, 0, 113, 9]);
    for (tls, peer, protocol, told) in [
        (false, stranger, "http", false),
        (false, stranger, "https", false),
        (true, stranger, "http", true),
        (false, PROXY, "https", true),
        (false, PROXY, "http", false),
    ] {
        let answer = by(tls, peer, protocol).await;
        let header = answer.headers.get("strict-transport-security");
        assert_eq!(header.is_some(), told, "{tls} {peer} {protocol}");
    }
}
