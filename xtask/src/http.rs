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
///
/// HTTP/1.0 has no chunks and ends with the connection, so reading an answer is reading to the end.
pub(crate) fn request(
    server: SocketAddr,
    token: &str,
    method: &str,
    path: &str,
    json: &str,
) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: {server}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        json.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(json.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no body")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    ensure!(status.starts_with('2'), "{method} {path} was answered with {status}: {body}");
    Ok(body.to_owned())
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
