//! `constant ADDRESS`: answers the same requests with constants, so what is left is HTTP.

use axum::{
    Router,
    body::Bytes,
    http::{HeaderName, StatusCode, header},
    routing::{get, post},
};
use inventory_bench_peer::{BatchResult, BatchResults, Component, Listing, NewComponent};

/// How many components a page has.
const PAGE: usize = 50;
/// How many components a batch makes.
const BATCH: usize = 1000;

fn component() -> Component {
    Component::new(NewComponent {
        sku: Some("constant-0001-00000001".to_owned()),
        name: "74HC00".to_owned(),
        description: "Quad 2-input NAND gate, CMOS, 2 V to 6 V".to_owned(),
        manufacturer: Some("Nexperia".to_owned()),
        mpn: Some("74HC00D".to_owned()),
        tags: vec!["cmos".to_owned(), "logic".to_owned()],
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).ok_or("usage: constant ADDRESS")?;
    let one = Bytes::from(serde_json::to_vec(&component())?);
    let listing = Listing { items: (0..PAGE).map(|_| component()).collect(), next_cursor: None };
    let list = Bytes::from(serde_json::to_vec(&listing)?);
    let result = |_| BatchResult { op: "create", status: "created", component: component() };
    let results =
        Bytes::from(serde_json::to_vec(&BatchResults { results: (0..BATCH).map(result).collect() })?);
    let created = one.clone();
    let router = Router::new()
        .route(
            "/api/v1/components",
            get(|| async { json(list) }).post(|_: Bytes| async { (StatusCode::CREATED, json(created)) }),
        )
        .route("/api/v1/components/batch", post(|_: Bytes| async { json(results) }))
        .route("/api/v1/components/{id}", get(|| async { json(one) }))
        .route("/metrics/", get(|| async { "inventory_components_total 1000\n" }));
    axum::serve(tokio::net::TcpListener::bind(address).await?, router).await?;
    Ok(())
}

fn json(body: Bytes) -> ([(HeaderName, &'static str); 1], Bytes) {
    ([(header::CONTENT_TYPE, "application/json")], body)
}
