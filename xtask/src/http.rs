//! The little HTTP that the chores speak: one request a connection, to a server on this machine.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context, bail, ensure};

/// How long an answer may take. A batch of a thousand is the longest.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Asks a server, and takes the body of a successful answer.
pub(crate) fn request(
    server: SocketAddr,
    token: &str,
    method: &str,
    path: &str,
    json: &str,
) -> anyhow::Result<String> {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let (head, body) = exchange(server, method, path, &headers, json)?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    ensure!(status.starts_with('2'), "{method} {path} was answered with {status}: {body}");
    Ok(body)
}

/// Asks a server, and takes the head and the body of its answer.
///
/// HTTP/1.0 has no chunks and ends with the connection, so reading an answer is reading to the end.
pub(crate) fn exchange(
    server: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> anyhow::Result<(String, String)> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = headers.concat();
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.0\r\nHost: {server}\r\n{headers}Content-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no body")?;
    Ok((head.to_owned(), body.to_owned()))
}

/// The value of a sample without labels in a text of metrics.
pub(crate) fn sample(metrics: &str, name: &str) -> anyhow::Result<u64> {
    for line in metrics.lines() {
        if let Some((sample, value)) = line.split_once(' ')
            && sample == name
        {
            let value = value.strip_suffix(".0").unwrap_or(value);
            return value.parse().with_context(|| format!("{name} is {value}"));
        }
    }
    bail!("there is no sample {name}")
}
