//! `Idempotency-Key`.

use axum::http::Method;
use inventory_core::Actor;
use serde_json::{Value, json};

use crate::{
    database::TestDatabase,
    service::{Answer, COMPONENTS, Service, WithJson},
};

async fn post(service: &Service, path: &str, key: &str, body: &Value) -> Answer {
    let request = Service::request(Method::POST, path).header("idempotency-key", key);
    service.send(request.json(body)).await
}

#[tokio::test]
async fn a_repeated_request_is_answered_as_the_first_time() {
    for database in TestDatabase::each() {
        let service = Service::on(database).await;
        let body = json!({"name": "a", "sku": "S"});
        let first = post(&service, COMPONENTS, "k1", &body).await;
        assert!(!first.headers.contains_key("idempotency-replayed"));
        // The answer is the one that was given, whatever has become of the component.
        service.patch(first.header("location"), "*", &json!({"name": "b"})).await;
        let again = post(&service, COMPONENTS, "k1", &body).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        for header in ["etag", "location", "content-type"] {
            assert_eq!(again.header(header), first.header(header));
        }
        post(&service, COMPONENTS, "k1", &json!({"name": "a"})).await.problem(422, "idempotency-key-reused");
        let batch = json!({"operations": [{"op": "create", "component": {"name": "c"}}]});
        let path = format!("{COMPONENTS}/batch");
        post(&service, &path, "k1", &batch).await.problem(422, "idempotency-key-reused");
        let first = post(&service, &path, "k2", &batch).await;
        let again = post(&service, &path, "k2", &batch).await;
        assert_eq!((first.status.as_u16(), &first.body), (200, &again.body));
        assert_eq!(again.header("idempotency-replayed"), "true");
        service.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_is_carried_out() {
    for database in TestDatabase::each() {
        let service = Service::on(database).await;
        let before = service.store.snapshot().await.unwrap().head.0;
        let body = json!({"name": "a"});
        let requests = (0..16).map(|_| post(&service, COMPONENTS, "same", &body));
        let answers = futures::future::join_all(requests).await;
        let replayed = answers.iter().filter(|a| a.headers.contains_key("idempotency-replayed")).count();
        assert_eq!(replayed, 15);
        for answer in &answers {
            assert_eq!((answer.status.as_u16(), &answer.body), (201, &answers[0].body));
        }
        assert_eq!(service.store.snapshot().await.unwrap().head.0, before + 1);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_key_is_its_owners() {
    let service = Service::sqlite().await;
    let other = "another-secret-that-is-long-enough";
    service.store.tokens().ensure("other", other, Actor::system()).await.unwrap();
    let body = json!({"name": "a"});
    let mine = post(&service, COMPONENTS, "k", &body).await;
    let request = axum::http::Request::post(COMPONENTS)
        .header("authorization", format!("Bearer {other}"))
        .header("idempotency-key", "k");
    let theirs = service.send(request.json(&body)).await;
    assert_ne!(mine.json()["id"], theirs.json()["id"]);
}

#[tokio::test]
async fn a_key_is_visible_ascii_and_not_too_long() {
    let service = Service::sqlite().await;
    let body = json!({"name": "a"});
    for bad in ["", "a b", "\u{e9}", &"k".repeat(256)] {
        let request = Service::request(Method::POST, COMPONENTS).header("idempotency-key", bad.as_bytes());
        let problem = service.send(request.json(&body)).await.problem(400, "invalid-header");
        assert_eq!(problem["errors"][0]["header"], "Idempotency-Key");
    }
    assert_eq!(post(&service, COMPONENTS, &"k".repeat(255), &body).await.status, 201);
    let twice = Service::request(Method::POST, COMPONENTS)
        .header("idempotency-key", "a")
        .header("idempotency-key", "b");
    service.send(twice.json(&body)).await.problem(400, "invalid-header");
}

#[tokio::test]
async fn a_refusal_is_remembered_too() {
    for database in TestDatabase::each() {
        let service = Service::on(database).await;
        let (path, _) = service.created(json!({"name": "a", "sku": "S"})).await;
        let body = json!({"name": "b", "sku": "S"});
        post(&service, COMPONENTS, "k", &body).await.problem(409, "sku-taken");
        service.delete(&path, "*").await;
        post(&service, COMPONENTS, "k", &body).await.problem(409, "sku-taken");
        service.assert_sound().await;
    }
}
