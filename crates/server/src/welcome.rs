//! What a start prints: where it serves and, on a database without any token, the first token and how to use it.

use std::{
    io::{Write as _, stdout},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use anyhow::Context as _;
use inventory_core::Actor;
use inventory_store::{Reason, Refusal, Store, WriteError};

/// The name of the token that a first start makes.
const FIRST_TOKEN: &str = "first";

/// Makes the first token of a database that has none, and returns its secret.
pub(crate) async fn first_token(store: &Store) -> anyhow::Result<Option<String>> {
    // Revoked tokens count: who revoked them all does not want a new one at the next start.
    if !store.tokens().await?.is_empty() {
        return Ok(None);
    }
    match store.create_token(FIRST_TOKEN, Actor::system()).await {
        Ok((_, secret)) => Ok(Some(secret)),
        // Another replica that starts at this moment made it, and prints it.
        Err(WriteError::Refused(refusals))
            if matches!(&refusals[..], [Refusal { index: _, reason: Reason::TokenNameTaken(_) }]) =>
        {
            Ok(None)
        }
        Err(error) => Err(error).context("cannot make the first API token"),
    }
}

/// Prints the first token, if there is one, and where the service serves.
pub(crate) fn print(
    address: SocketAddr,
    metrics: Option<SocketAddr>,
    first_token: Option<&str>,
) -> std::io::Result<()> {
    let mut out = stdout().lock();
    let base = base_url(address);
    if let Some(secret) = first_token {
        write!(out, "{}", first_steps(&base, secret))?;
    }
    if let Some(metrics) = metrics {
        writeln!(out, "Metrics on {}/metrics/", base_url(metrics))?;
    }
    writeln!(out, "Serving on {base}")?;
    out.flush()
}

fn first_steps(base: &str, secret: &str) -> String {
    let components = format!("{base}/api/v1/components");
    let token = format!("-H 'Authorization: Bearer {secret}'");
    format!(
        "\
This database has no API token yet, so one was made. It is shown only now:

  {secret}

Create a component with it:

  curl -sS {components} {token} -H 'Content-Type: application/json' -d '{{\"name\": \"74HC00\"}}'

Change it and delete it, with the id of the answer in the place of ID:

  curl -sS -X PATCH {components}/ID {token} -H 'If-Match: *' -H 'Content-Type: application/merge-patch+json' -d '{{\"description\": \"Quad NAND gate\"}}'
  curl -sS -X DELETE {components}/ID {token} -H 'If-Match: *'

"
    )
}

/// A URL that works on this machine: an address that stands for all of them is none to connect to.
fn base_url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_one_that_a_client_on_this_machine_can_use() {
        let url = |text: &str| base_url(text.parse().unwrap());
        assert_eq!(url("0.0.0.0:8000"), "http://127.0.0.1:8000");
        assert_eq!(url("[::]:8000"), "http://[::1]:8000");
        assert_eq!(url("192.0.2.7:80"), "http://192.0.2.7:80");
    }

    #[test]
    fn the_first_steps_are_locked() {
        insta::assert_snapshot!(first_steps("http://127.0.0.1:8000", "SECRET"));
    }
}
