//! What startup creates and prints: on a database without any user or token the first of each, and how to use
//! them; and the addresses that the server listens on.

use std::{
    io::{Write as _, stdout},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use anyhow::Context as _;
use inventory_core::{Actor, Role, Scope, UserName};
use inventory_store::{NewToken, Password, Store, TokenConflict, UserNameTaken, WriteError};

/// The name of the token that the first start creates.
const FIRST_TOKEN: &str = "first";

/// The user that the first start adds.
const FIRST_USER: &str = "admin";

/// The secrets that the first start generated. They are printed once.
#[derive(Debug, Default)]
pub(crate) struct FirstSecrets {
    /// The password of the user `admin`, if it was generated.
    pub(crate) password: Option<Password>,
    /// The secret of the first API token.
    pub(crate) token: Option<String>,
}

impl FirstSecrets {
    /// Whether there is a secret to print.
    pub(crate) fn any(&self) -> bool {
        self.password.is_some() || self.token.is_some()
    }
}

/// Adds the first user of a database that has none, and returns the password if it was generated.
pub(crate) async fn first_user(store: &Store, given: Option<Password>) -> anyhow::Result<Option<Password>> {
    if !store.users().list().await?.is_empty() {
        return Ok(None);
    }
    let made_up = given.is_none();
    let password = match given {
        Some(password) => password,
        None => Password::generate()?,
    };
    let name = FIRST_USER.parse::<UserName>().context("the name of the first user")?;
    match store.users().create(name, Role::Admin, password.clone(), Actor::system()).await {
        Ok(_) => Ok(made_up.then_some(password)),
        // Another replica that starts at this moment added the user, and prints the password.
        Err(WriteError::Conflict(UserNameTaken(_))) => Ok(None),
        Err(error) => Err(error).context("cannot add the first user"),
    }
}

/// Creates the first token of a database that has none, and returns its secret.
pub(crate) async fn first_token(store: &Store) -> anyhow::Result<Option<String>> {
    // Revoked tokens count: an operator who revoked them all does not want a new one at the next start.
    if !store.tokens().list().await?.is_empty() {
        return Ok(None);
    }
    match store.tokens().create(NewToken::new(FIRST_TOKEN, [Scope::Admin]), Actor::system()).await {
        Ok((_, secret)) => Ok(Some(secret)),
        // Another replica that starts at this moment created it, and prints it.
        Err(WriteError::Conflict(TokenConflict::NameTaken(_))) => Ok(None),
        Err(error) => Err(error).context("cannot create the first API token"),
    }
}

/// Prints the secrets of a first start, and the address of the service.
pub(crate) fn print(
    scheme: &str,
    address: SocketAddr,
    metrics: Option<SocketAddr>,
    first: &FirstSecrets,
) -> std::io::Result<()> {
    let mut out = stdout().lock();
    let base = base_url(scheme, address);
    if let Some(password) = &first.password {
        write!(out, "{}", first_sign_in(&base, password.as_str()))?;
    }
    if let Some(secret) = &first.token {
        write!(out, "{}", first_steps(&base, secret))?;
    }
    if let Some(metrics) = metrics {
        writeln!(out, "Metrics on {}/metrics/", base_url(scheme, metrics))?;
    }
    writeln!(out, "Serving on {base}")?;
    out.flush()
}

fn first_sign_in(base: &str, password: &str) -> String {
    format!(
        "\
This database had no user, so one was added. The password is not shown again:

  {base}/admin/
  user      {FIRST_USER}
  password  {password}

"
    )
}

fn first_steps(base: &str, secret: &str) -> String {
    let components = format!("{base}/api/v1/components");
    let token = format!("-H 'Authorization: Bearer {secret}'");
    format!(
        "\
This database had no API token, so one was created. It is not shown again:

  {secret}

Create a component with it:

  curl -sS {components} {token} -H 'Content-Type: application/json' -d '{{\"name\": \"74HC00\"}}'

Change it and delete it, with ID replaced by the id from the response:

  curl -sS -X PATCH {components}/ID {token} -H 'If-Match: *' -H 'Content-Type: application/merge-patch+json' -d '{{\"description\": \"Quad NAND gate\"}}'
  curl -sS -X DELETE {components}/ID {token} -H 'If-Match: *'

"
    )
}

/// A URL that works on this machine: an unspecified address becomes the loopback address.
fn base_url(scheme: &str, address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("{scheme}://{}", SocketAddr::new(ip, address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_one_that_a_client_on_this_machine_can_use() {
        let url = |text: &str| base_url("http", text.parse().unwrap());
        assert_eq!(url("0.0.0.0:8000"), "http://127.0.0.1:8000");
        assert_eq!(url("[::]:8000"), "http://[::1]:8000");
        assert_eq!(url("192.0.2.7:80"), "http://192.0.2.7:80");
    }

    #[test]
    fn the_first_sign_in_is_locked() {
        insta::assert_snapshot!(first_sign_in("http://127.0.0.1:8000", "PASSWORD"));
    }

    #[test]
    fn the_first_steps_are_locked() {
        insta::assert_snapshot!(first_steps("http://127.0.0.1:8000", "SECRET"));
    }
}
