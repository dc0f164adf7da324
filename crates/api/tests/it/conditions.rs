//! `ETag`, `If-Match`, `If-None-Match`.

use axum::{body::Body, http::Method};
use serde_json::json;

use crate::service::{Service, WithJson};

#[tokio::test]
async fn a_change_states_the_version_it_is_made_from() {
    let service = Service::sqlite().await;
    let (path, _) = service.created(json!({"name": "a"})).await;
    let change = json!({"name": "b"});
    let missing = service.send(Service::request(Method::PATCH, &path).json(&change)).await;
    let problem = missing.problem(428, "if-match-required");
    assert!(problem["detail"].as_str().unwrap().contains("If-Match: *"), "{problem}");
    let missing = service.send(Service::request(Method::DELETE, &path).body(Body::empty()).unwrap()).await;
    missing.problem(428, "if-match-required");

    // What is not written as the service writes it is no version.
    for stale in ["\"7\"", "W/\"2\"", "\"01\"", "\"\"", "\"1-x\"", "\"-gzip\"", "\"x\", W/\"7\""] {
        let answer = service.patch(&path, stale, &change).await;
        let problem = answer.problem(412, "stale-version");
        assert_eq!(problem["current"]["name"], "a");
        assert_eq!(answer.etag(), "\"1\"");
    }
    for malformed in ["1", "", "\"1", "\"1\" \"2\"", "**", "*, \"1\"", "\"1\",", "\u{e9}"] {
        let request = Service::request(Method::PATCH, &path).header("if-match", malformed.as_bytes());
        let problem = service.send(request.json(&change)).await.problem(400, "invalid-header");
        assert_eq!(problem["errors"][0]["header"], "If-Match");
    }
    assert_eq!(service.patch(&path, "\"0\", \"1\"", &change).await.etag(), "\"2\"");
    assert_eq!(service.patch(&path, "*", &json!({"name": "c"})).await.etag(), "\"3\"");
    // Two lines are one list.
    let request =
        Service::request(Method::PATCH, &path).header("if-match", "\"9\"").header("if-match", "\"3\"");
    assert_eq!(service.send(request.json(&json!({"name": "d"}))).await.etag(), "\"4\"");
    service.delete(&path, "\"3\"").await.problem(412, "stale-version");
    assert_eq!(service.delete(&path, "\"4\"").await.status, 204);
}

#[tokio::test]
async fn tags_that_a_proxy_rewrote_while_compressing_still_name_their_version() {
    let service = Service::sqlite().await;
    let (path, _) = service.created(json!({"name": "a"})).await;
    for (version, tag) in [(1, "W/\"1\""), (2, "\"2-gzip\""), (3, "W/\"3-gzip\""), (4, "\"4-br\"")] {
        let read = Service::request(Method::GET, &path).header("if-none-match", tag);
        assert_eq!(service.send(read.body(Body::empty()).unwrap()).await.status, 304, "{tag}");
        let answer = service.patch(&path, tag, &json!({"name": format!("after {version}")})).await;
        assert_eq!(answer.status, 200, "{tag}: {answer:?}");
        service.patch(&path, tag, &json!({"name": "b"})).await.problem(412, "stale-version");
    }
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    let service = Service::sqlite().await;
    let (path, _) = service.created(json!({"name": "a"})).await;
    let read = async |condition: &str| {
        let request = Service::request(Method::GET, &path).header("if-none-match", condition);
        service.send(request.body(Body::empty()).unwrap()).await
    };
    for same in ["\"1\"", "W/\"1\"", "*", "\"7\", \"1\""] {
        let answer = read(same).await;
        assert_eq!((answer.status.as_u16(), answer.etag(), answer.body.len()), (304, "\"1\"", 0), "{same}");
    }
    for other in ["\"2\"", "\"11\"", "1", "\"1"] {
        assert_eq!(read(other).await.status, 200, "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_changes_from_one_version_one_is_made() {
    let service = Service::sqlite().await;
    let (path, _) = service.created(json!({"name": "a"})).await;
    let changes = (0..16).map(|n| {
        let (service, path) = (&service, &path);
        async move { service.patch(path, "\"1\"", &json!({"name": format!("n{n}")})).await.status.as_u16() }
    });
    let mut statuses = futures::future::join_all(changes).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [&[200][..], &[412; 15]].concat());
}
