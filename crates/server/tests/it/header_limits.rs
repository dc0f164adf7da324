//! The heads of requests, over a connection of the binary: its own limits are met before those of its HTTP
//! library, which would answer without a body.

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    net::TcpStream,
};

use crate::{database::TestDatabase, server::Server};

fn answer(server: &Server, target: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(server.base.strip_prefix("http://").unwrap()).unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_head_that_is_too_long_is_a_problem() {
    let database = TestDatabase::sqlite();
    let server = Server::start(&database);
    let long = format!("/api/v1/components?name={}", "x".repeat(60_000));
    let many = (0..110).fold(String::new(), |mut many, n| {
        write!(many, "X-{n}: y\r\n").unwrap();
        many
    });
    let large = format!("X-Large: {}\r\n", "y".repeat(200_000));
    for (status, slug, target, headers) in [
        (414, "uri-too-long", &*long, ""),
        (431, "headers-too-large", "/livez", &*many),
        (431, "headers-too-large", "/livez", &*large),
    ] {
        let answer = answer(&server, target, headers);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("application/problem+json") && answer.contains(slug), "{answer}");
    }
    assert!(answer(&server, "/livez", "").starts_with("HTTP/1.1 200 "));
    server.stop();
}

#[test]
fn a_request_names_its_host_once() {
    let database = TestDatabase::sqlite();
    let server = Server::start(&database);
    for (version, headers, status) in [
        ("1.1", "Host: a\r\n", 200),
        ("1.1", "", 400),
        ("1.1", "Host: a\r\nHost: a\r\n", 400),
        ("1.0", "", 200),
        ("1.0", "Host: a\r\n", 200),
        ("1.0", "Host: a\r\nHost: b\r\n", 400),
    ] {
        let mut stream = TcpStream::connect(server.base.strip_prefix("http://").unwrap()).unwrap();
        let request = format!("GET /livez HTTP/{version}\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/{version} {status} ")), "{version} {headers:?}: {answer}");
        assert!(
            status == 200 || answer.contains("/problems/bad-request") && answer.contains("Host"),
            "{answer}"
        );
    }
    server.stop();
}
