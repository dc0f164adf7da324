//! Create, read, change, delete.

use axum::{body::Body, http::Method};
use serde_json::{Value, json};

use crate::{
    database::TestDatabase,
    service::{COMPONENTS, Service, WithJson},
};

#[tokio::test]
async fn a_component_lives_from_post_to_delete() {
    for database in TestDatabase::each() {
        let service = Service::on(database).await;
        let answer = service.post(COMPONENTS, &json!({"name": "74HC00", "sku": "74xx/74HC00"})).await;
        assert_eq!(answer.status, 201);
        assert_eq!(answer.etag(), "\"1\"");
        let path = answer.header("location").to_owned();
        let created = answer.json();
        assert_eq!(path, format!("{COMPONENTS}/{}", created["id"].as_str().unwrap()));
        assert_eq!(created["created_by"], "token:tests");

        let read = service.get(&path).await;
        assert_eq!((read.status.as_u16(), read.etag(), read.json()), (200, "\"1\"", created.clone()));
        assert_eq!(read.header("content-type"), "application/json");

        let changed = service.patch(&path, "\"1\"", &json!({"description": "NAND", "sku": null})).await;
        assert_eq!((changed.status.as_u16(), changed.etag()), (200, "\"2\""));
        assert_eq!(changed.json()["description"], "NAND");
        assert_eq!(changed.json()["sku"], Value::Null);

        let unchanged = service.patch(&path, "\"2\"", &json!({"description": "NAND"})).await;
        assert_eq!((unchanged.status.as_u16(), unchanged.etag()), (200, "\"2\""));

        let deleted = service.delete(&path, "\"2\"").await;
        assert_eq!((deleted.status.as_u16(), deleted.body.len()), (204, 0));
        service.get(&path).await.problem(404, "component-not-found");
        service.delete(&path, "*").await.problem(404, "component-not-found");
        // The token, and one event for each change that changed something.
        assert_eq!(service.store.snapshot().await.unwrap().head.0, 4);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_merge_patch_says_so_or_is_plain_json() {
    let service = Service::sqlite().await;
    let (path, _) =
        service.created(json!({"name": "a", "custom_fields": {"x": 1, "y": "two"}, "tags": ["t"]})).await;
    let request = Service::request(Method::PATCH, &path)
        .header("if-match", "*")
        .header("content-type", "application/merge-patch+json; charset=UTF-8")
        .body(Body::from(json!({"custom_fields": {"x": null, "z": true}, "tags": null}).to_string()))
        .unwrap();
    let answer = service.send(request).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["custom_fields"], json!({"y": "two", "z": true}));
    assert_eq!(answer.json()["tags"], json!([]));
}

#[tokio::test]
async fn a_sku_belongs_to_one_component() {
    for database in TestDatabase::each() {
        let service = Service::on(database).await;
        service.created(json!({"name": "a", "sku": "S"})).await;
        let (path, _) = service.created(json!({"name": "b"})).await;
        let problem =
            service.post(COMPONENTS, &json!({"name": "c", "sku": "S"})).await.problem(409, "sku-taken");
        assert_eq!(problem["errors"][0]["pointer"], "/sku");
        service.patch(&path, "*", &json!({"sku": "S"})).await.problem(409, "sku-taken");
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn every_wrong_member_is_named() {
    let service = Service::sqlite().await;
    let problem = service
        .post(COMPONENTS, &json!({"sku": 5, "unit_cost": 1.5, "a/b": 1}))
        .await
        .problem(422, "invalid-body");
    let pointers: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/sku", "/unit_cost", "/a~1b", "/name"]);
}

#[tokio::test]
async fn a_slash_at_the_end_makes_no_difference() {
    let service = Service::sqlite().await;
    let request = Service::request(Method::POST, &format!("{COMPONENTS}/"));
    let answer = service.send(request.json(&json!({"name": "a"}))).await;
    assert_eq!(answer.status, 201);
    let path = answer.header("location");
    assert!(!path.contains("//"), "{path}");
    assert_eq!(service.get(&format!("{path}/?fields=name")).await.json(), json!({"name": "a"}));
    assert_eq!(service.get(&format!("{COMPONENTS}/?limit=1")).await.json()["total"], 1);
    service.get("/nowhere/").await.problem(404, "not-found");
    service.get("/").await.problem(404, "not-found");
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let service = Service::sqlite().await;
    let (path, _) = service.created(json!({"name": "a"})).await;
    let answer = service.send(Service::request(Method::HEAD, &path).body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.etag(), answer.body.len()), (200, "\"1\"", 0));
}

#[tokio::test]
async fn a_trace_goes_into_the_event() {
    let service = Service::sqlite().await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut events = service.store.bus().subscribe("test");
    for (header, expected) in [(trace, Some(trace)), ("00-zz", None)] {
        let request = Service::request(Method::POST, COMPONENTS).header("traceparent", header);
        service.send(request.json(&json!({"name": "a"}))).await;
        let event = events.next().await.unwrap().unwrap();
        assert_eq!(event.trace.as_deref(), expected);
        assert_eq!(event.actor.as_str(), "token:tests");
    }
}
