//! Someone who is signed in to the web admin.

use std::net::SocketAddr;

use anyhow::{Context, ensure};

use crate::http;

/// The password of the first user, in databases of the benchmark.
pub(super) const PASSWORD: &str = "correct horse battery";

pub(super) struct Visitor {
    server: SocketAddr,
    cookie: String,
}

impl Visitor {
    pub(super) fn sign_in(server: SocketAddr) -> anyhow::Result<Self> {
        let mut visitor = Self { server, cookie: String::new() };
        let head = visitor.send("/admin/sign-in", &[("name", "admin"), ("password", PASSWORD)])?.0;
        let cookies = head.lines().filter_map(|line| line.split_once(": "));
        let cookie = cookies
            .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
            .map(|(_, cookie)| cookie.split(';').next().unwrap_or_default())
            .find(|cookie| cookie.starts_with("inventory_session="));
        cookie.context("signing in gave no session")?.clone_into(&mut visitor.cookie);
        Ok(visitor)
    }

    /// The header by which the service knows them.
    pub(super) fn header(&self) -> (&str, &str) {
        ("Cookie", &self.cookie)
    }

    pub(super) fn get(&self, path: &str) -> anyhow::Result<String> {
        let (head, body) = http::exchange(self.server, "GET", path, &[self.header()], "")?;
        ensure!(head.split(' ').nth(1) == Some("200"), "{path} was answered with {head}");
        Ok(body)
    }

    /// Posts a form; what it is answered with is a page or leads to one.
    pub(super) fn post(&self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<String> {
        let (head, body) = self.send(path, fields)?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        ensure!(["200", "303"].contains(&status), "{path} was answered with {head}\n{body}");
        Ok(body)
    }

    /// No field has anything that a form would escape but spaces.
    fn send(&self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<(String, String)> {
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| format!("{name}={}", value.replace(' ', "+"))).collect();
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        http::exchange(self.server, "POST", path, &[self.header(), form], &fields.join("&"))
    }
}
