//! Many changes at once, all or none.

use axum::{body::Body, http::Method};
use serde_json::{Value, json};

use crate::{
    database::TestDatabase,
    service::{COMPONENTS, Service},
};

const BATCH: &str = "/api/v1/components/batch";

#[tokio::test]
async fn a_batch_answers_one_result_an_operation_in_order() {
    for database in TestDatabase::each() {
        let service = Service::on(database).await;
        let (_, a) = service.created(json!({"name": "a"})).await;
        let (_, b) = service.created(json!({"name": "b"})).await;
        let before = service.store.snapshot().await.unwrap().head.0;
        let answer = service
            .post(
                BATCH,
                &json!({"operations": [
                    {"op": "create", "component": {"name": "c"}},
                    {"op": "update", "id": a["id"], "version": 1, "patch": {"name": "A"}},
                    {"op": "update", "id": a["id"], "version": "*", "patch": {"name": "A"}},
                    {"op": "delete", "id": b["id"], "version": 1.0},
                ]}),
            )
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let results = answer.json()["results"].as_array().unwrap().clone();
        let told: Vec<_> =
            results.iter().map(|r| (r["op"].as_str().unwrap(), r["status"].as_str().unwrap())).collect();
        let expected =
            [("create", "created"), ("update", "updated"), ("update", "unchanged"), ("delete", "deleted")];
        assert_eq!(told, expected);
        let versions: Vec<_> = results.iter().map(|r| r["component"]["version"].as_u64().unwrap()).collect();
        assert_eq!(versions, [1, 2, 2, 1]);
        assert_eq!(service.store.snapshot().await.unwrap().head.0, before + 3);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn one_that_cannot_be_carried_out_stops_all() {
    for database in TestDatabase::each() {
        let service = Service::on(database).await;
        let (_, a) = service.created(json!({"name": "a", "sku": "S"})).await;
        let before = service.store.snapshot().await.unwrap();
        let nobody = "0190a6e3-7d3c-7f4e-8a51-0b6c2f1d9e34";
        let problem = service
            .post(
                BATCH,
                &json!({"operations": [
                    {"op": "create", "component": {"name": "c"}},
                    {"op": "create", "component": {"name": "d", "sku": "S"}},
                    {"op": "update", "id": a["id"], "version": 9, "patch": {"name": "A"}},
                    {"op": "delete", "id": nobody, "version": 1},
                ]}),
            )
            .await
            .problem(409, "batch-refused");
        let errors: Vec<_> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| (e["pointer"].as_str().unwrap(), e["type"].as_str().unwrap()))
            .collect();
        assert_eq!(
            errors,
            [
                ("/operations/1/component/sku", "/problems/sku-taken"),
                ("/operations/2", "/problems/stale-version"),
                ("/operations/3", "/problems/component-not-found"),
            ]
        );
        assert_eq!(problem["errors"][1]["current"]["name"], "a");
        assert_eq!(service.store.snapshot().await.unwrap(), before);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn every_wrong_member_of_every_operation_is_named() {
    let service = Service::sqlite().await;
    let problem = service
        .post(
            BATCH,
            &json!({"operations": [
                {"op": "create", "component": {"sku": 1}, "extra": 0},
                {"op": "update", "id": "x", "version": 0, "patch": {"colour": 1}},
                {"op": "delete"},
                {"op": "merge"},
                7,
            ], "a/b": 1}),
        )
        .await
        .problem(422, "invalid-body");
    let pointers: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    assert_eq!(
        pointers,
        [
            "/a~1b",
            "/operations/0/component/sku",
            "/operations/0/component/name",
            "/operations/0/extra",
            "/operations/1/id",
            "/operations/1/version",
            "/operations/1/patch/colour",
            "/operations/2/id",
            "/operations/2/version",
            "/operations/3/op",
            "/operations/4",
        ]
    );
}

#[tokio::test]
async fn a_batch_has_its_own_limits() {
    let service = Service::sqlite().await;
    for body in [json!({}), json!([]), json!({"operations": {}}), json!({"operations": []})] {
        service.post(BATCH, &body).await.problem(422, "invalid-body");
    }
    let operations = |count: usize| {
        let one = json!({"op": "create", "component": {"name": "a", "notes": "n".repeat(400)}});
        json!({"operations": vec![one; count]})
    };
    let problem = service.post(BATCH, &operations(20_001)).await.problem(422, "invalid-body");
    assert_eq!(problem["errors"][0]["pointer"], "/operations");
    // More than the 1 MiB of a single component, and as many as a batch takes.
    let answer = service.post(BATCH, &operations(20_000)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["results"].as_array().unwrap().len(), 20_000);
    assert_eq!(service.get(COMPONENTS).await.json()["total"], 20_000);
    service.assert_sound().await;
}

#[tokio::test]
async fn many_errors_are_counted_and_some_are_listed() {
    let service = Service::sqlite().await;
    let operations: Vec<Value> = (0..250).map(|_| json!({"op": "create", "component": {}})).collect();
    let problem = service.post(BATCH, &json!({"operations": operations})).await.problem(422, "invalid-body");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 100);
    assert_eq!(problem["more_errors"], 150);
}

#[tokio::test]
async fn a_batch_is_read_up_to_its_thousandth_error() {
    let service = Service::sqlite().await;
    let operations = vec![json!({"op": "create", "component": {}}); 3000];
    let problem = service.post(BATCH, &json!({"operations": operations})).await.problem(422, "invalid-body");
    assert_eq!((problem["errors"].as_array().unwrap().len(), &problem["more_errors"]), (100, &json!(900)));
    // Not even what is no JSON is seen after that.
    let bad = json!({"operations": operations}).to_string().replace("]}", ",]}");
    let request = Service::request(Method::POST, BATCH).header("content-type", "application/json");
    let answer = service.send(request.body(Body::from(bad)).unwrap()).await;
    assert_eq!(answer.problem(422, "invalid-body")["more_errors"], 900);
}

#[tokio::test]
async fn an_operation_that_is_too_large_is_named() {
    let service = Service::sqlite().await;
    let large = json!({"op": "create", "component": {"name": "a", "tags": vec![0; 100_000]}});
    let operations = json!({"operations": [{"op": "create", "component": {"name": "a"}}, large]});
    let problem = service.post(BATCH, &operations).await.problem(422, "invalid-body");
    assert_eq!(problem["errors"][0]["pointer"], "/operations/1");
    let beside = json!({"operations": [], "more": vec![0; 100_000]});
    let problem = service.post(BATCH, &beside).await.problem(422, "invalid-body");
    assert_eq!(problem["errors"][0]["detail"], "has too many members beside \"operations\"");
}
