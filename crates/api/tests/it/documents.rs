//! The documentation of the API.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

use crate::service::Service;

#[test]
fn the_committed_openapi_document_is_the_one_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi.json");
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let current = inventory::openapi().to_pretty_json().unwrap() + "\n";
    assert!(committed == current, "openapi.json is stale: run `cargo xtask openapi` and commit it");
}

#[tokio::test]
async fn the_served_document_is_the_same() {
    let service = Service::sqlite().await;
    let expected = serde_json::to_value(inventory::openapi()).unwrap();
    for path in ["/openapi.json", "/api/openapi.json"] {
        assert_eq!(service.get(path).await.json(), expected);
    }
}

#[tokio::test]
async fn the_page_to_browse_the_document_asks_no_other_host() {
    let service = Service::sqlite().await;
    let redirect = service.get("/api/docs").await;
    assert_eq!((redirect.status.as_u16(), redirect.header("location")), (303, "/api/docs/"));
    let page = String::from_utf8(service.get("/api/docs/").await.body.to_vec()).unwrap();
    let mut assets = 0;
    for quoted in page.split('"').skip(1).step_by(2).filter(|text| text.starts_with("./")) {
        assert_eq!(service.get(&format!("/api/docs/{}", &quoted[2..])).await.status, 200, "{quoted}");
        assets += 1;
    }
    assert!(assets >= 4, "{page}");
    let script = service.get("/api/docs/swagger-initializer.js").await;
    let script = String::from_utf8(script.body.to_vec()).unwrap();
    assert!(script.contains("\"/openapi.json\""), "{script}");
    for text in [page, script] {
        for host in ["http://", "https://", "\"//"] {
            assert!(!text.contains(host), "{host} in {text}");
        }
    }
}

#[tokio::test]
async fn every_kind_of_problem_that_the_document_names_is_explained() {
    let service = Service::sqlite().await;
    let document = inventory::openapi().to_json().unwrap();
    let slugs: BTreeSet<_> = document
        .split("/problems/")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '-').next())
        .filter(|slug| !slug.is_empty())
        .collect();
    assert!(slugs.len() > 20, "{slugs:?}");
    for slug in slugs {
        let answer = service.get(&format!("/problems/{slug}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (200, "text/plain; charset=utf-8"),
            "{slug}"
        );
        assert!(answer.body.len() > 100, "{slug}");
    }
    service.get("/problems/nothing").await.problem(404, "not-found");
}

#[test]
fn the_document_is_closed_where_the_service_is() {
    let document = serde_json::to_value(inventory::openapi()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    for name in ["NewComponent", "ComponentPatch", "Batch"] {
        assert_eq!(
            document["components"]["schemas"][name]["additionalProperties"],
            Value::Bool(false),
            "{name}"
        );
    }
    // Every reference leads somewhere.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
}
