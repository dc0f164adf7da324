//! The forms on the wire, locked.

use std::fmt::Write;

use axum::{body::Body, http::Method};
use serde_json::json;

use crate::service::{Answer, COMPONENTS, Service};

/// An answer as text, with the ids that differ from run to run by other names.
fn form(answer: &Answer, ids: &[(&str, &str)]) -> String {
    let mut text = format!("{}\n", answer.status);
    let mut headers: Vec<_> = answer.headers.iter().collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in headers {
        let value = if name == "x-request-id" { "[request id]" } else { value.to_str().unwrap() };
        writeln!(text, "{name}: {value}").unwrap();
    }
    text.push('\n');
    match serde_json::from_slice::<serde_json::Value>(&answer.body) {
        Ok(_) => text.push_str(&String::from_utf8_lossy(&answer.body).replace("\",\"", "\",\n\"")),
        Err(_) => text.push_str(&String::from_utf8_lossy(&answer.body)),
    }
    for (id, name) in ids {
        text = text.replace(id, name);
    }
    text
}

#[tokio::test]
async fn the_answers_about_a_component() {
    let service = Service::sqlite().await;
    let body = json!({
        "name": "74HC00", "sku": "74xx/74HC00", "unit_cost": "0.25", "currency": "EUR", "tags": ["logic"],
        "custom_fields": {"pins": 14},
    });
    let created = service.post(COMPONENTS, &body).await;
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let ids = [(id.as_str(), "[id]")];
    let path = format!("{COMPONENTS}/{id}");
    insta::assert_snapshot!("created", form(&created, &ids));
    insta::assert_snapshot!("page", form(&service.get(COMPONENTS).await, &ids));
    insta::assert_snapshot!("stale", form(&service.patch(&path, "\"7\"", &json!({})).await, &ids));
    insta::assert_snapshot!("deleted", form(&service.delete(&path, "\"1\"").await, &ids));
    insta::assert_snapshot!("gone", form(&service.get(&path).await, &ids));
}

#[tokio::test]
async fn the_problems() {
    let service = Service::sqlite().await;
    insta::assert_snapshot!(
        "invalid",
        form(&service.post(COMPONENTS, &json!({"sku": 1, "x": 2})).await, &[])
    );
    let request = Service::request(Method::PUT, COMPONENTS).body(Body::empty()).unwrap();
    insta::assert_snapshot!("method", form(&service.send(request).await, &[]));
    insta::assert_snapshot!("parameter", form(&service.get("/api/v1/components?limit=0").await, &[]));
    let request = axum::http::Request::get(COMPONENTS).body(Body::empty()).unwrap();
    insta::assert_snapshot!("unauthorized", form(&service.send(request).await, &[]));
}
