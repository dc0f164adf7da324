//! Clients that send a byte now and then.

use std::time::Duration;

use inventory::Options;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    database::TestDatabase,
    service::{COMPONENTS, PATIENCE, SECRET, Service},
};

/// How long a body may take here, and how often a byte of it comes. At this pace none ends in time.
const BODY_TIMEOUT: Duration = Duration::from_millis(300);
const PACE: Duration = Duration::from_millis(5);

/// Sends a head and then one byte after the other until the service closes the connection, and returns what it
/// answered.
async fn trickle(address: std::net::SocketAddr, path: &str, length: usize) -> String {
    let connection = TcpStream::connect(address).await.unwrap();
    let (mut from, mut to) = connection.into_split();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {SECRET}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    to.write_all(head.as_bytes()).await.unwrap();
    let sender = tokio::spawn(async move {
        let mut pace = tokio::time::interval(PACE);
        while to.write_all(b" ").await.is_ok() {
            pace.tick().await;
        }
    });
    let mut answer = Vec::new();
    // A reset at the end is as good as an end: the client was still sending.
    let read = tokio::time::timeout(PATIENCE, from.read_to_end(&mut answer)).await;
    drop(read.expect("the service waits for ever"));
    sender.abort();
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_trickles_is_given_up_and_its_connection_closed() {
    let options = Options { body_timeout: BODY_TIMEOUT, ..Options::default() };
    let service = Service::with(TestDatabase::sqlite(), options).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = service.router.clone();
    let server = tokio::spawn(async { axum::serve(listener, router).await });
    for (path, length, status, slug) in [
        (COMPONENTS, 100_000, 408, "body-too-slow"),
        ("/api/v1/components/batch", 30_000_000, 408, "body-too-slow"),
        // One that is too long is told so, and is not read for ever either.
        (COMPONENTS, 2_000_000, 413, "body-too-large"),
    ] {
        let answer = trickle(address, path, length).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains(&format!("/problems/{slug}")), "{answer}");
        assert!(status != 408 || answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
    // A client that sends its request without delay is still answered, and nothing was changed.
    assert_eq!(service.get(COMPONENTS).await.json()["total"], 0);
    server.abort();
    service.assert_sound().await;
}
