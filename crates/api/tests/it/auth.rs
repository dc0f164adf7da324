//! Who may ask for what.

use axum::{body::Body, http::Request};
use inventory_core::Actor;
use inventory_store::TokenKey;

use crate::service::{COMPONENTS, SECRET, Service};

/// Each operation of the document with whether it is open to everyone.
fn operations() -> Vec<(String, String, bool)> {
    let document = serde_json::to_value(inventory::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let open = operation["security"] == serde_json::json!([{}]);
            operations.push((method.to_uppercase(), path.clone(), open));
        }
    }
    operations
}

#[tokio::test]
async fn every_operation_but_the_open_ones_needs_a_token() {
    let service = Service::sqlite().await;
    let operations = operations();
    let open: Vec<_> = operations.iter().filter(|(_, _, open)| *open).map(|(_, path, _)| path).collect();
    assert_eq!(open, ["/livez", "/problems/{slug}", "/readyz"]);
    assert!(operations.len() > open.len());
    for (method, path, open) in operations {
        let path = path.replace("{id}", "7").replace("{slug}", "unauthorized");
        for header in [None, Some("Bearer wrong"), Some("Basic dTpw"), Some("Bearer"), Some(SECRET)] {
            let mut request = Request::builder().method(method.as_str()).uri(&path);
            if let Some(header) = header {
                request = request.header("authorization", header);
            }
            let answer = service.send(request.body(Body::empty()).unwrap()).await;
            if open {
                assert_eq!(answer.status, 200, "{method} {path}");
            } else {
                answer.problem(401, "unauthorized");
                assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"inventory\"");
            }
        }
    }
}

#[tokio::test]
async fn the_documents_are_open() {
    let service = Service::sqlite().await;
    for path in ["/openapi.json", "/api/openapi.json", "/api/docs/", "/metrics/", "/metrics"] {
        let answer = service.send(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_token_in_the_url_is_no_token() {
    let service = Service::sqlite().await;
    for name in ["access_token", "token", "authorization"] {
        let path = format!("{COMPONENTS}?{name}={SECRET}");
        let answer = service.send(Request::get(path).body(Body::empty()).unwrap()).await;
        answer.problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn a_revoked_token_is_no_token() {
    let service = Service::sqlite().await;
    let secret = "short-lived-secret-that-is-long-enough";
    service.store.tokens().ensure("short", secret, Actor::system()).await.unwrap();
    let ask = async || {
        let request = Request::get(COMPONENTS).header("authorization", format!("bearer {secret}"));
        service.send(request.body(Body::empty()).unwrap()).await
    };
    assert_eq!(ask().await.status, 200);
    service.store.tokens().revoke(TokenKey::Name("short".to_owned()), Actor::system()).await.unwrap();
    ask().await.problem(401, "unauthorized");
}
