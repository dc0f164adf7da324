//! Who is measured.

use std::{net::SocketAddr, path::PathBuf, process::Command};

use crate::{chore, repository, service};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Contestant {
    /// This service, without TLS to PostgreSQL, in which the contestants would differ by what they were built with.
    Service,
    /// This service by an ordinary URL of PostgreSQL, which means TLS where the server has it.
    ServiceByUrl,
    /// axum and sqlx by hand, without any of the guarantees.
    Peer,
    /// An axum handler that returns a constant.
    Constant,
}

impl Contestant {
    pub(super) const ALL: [Self; 4] = [Self::Service, Self::ServiceByUrl, Self::Peer, Self::Constant];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::ServiceByUrl => "service, ordinary URL",
            Self::Peer => "peer",
            Self::Constant => "constant",
        }
    }

    /// Its name as a part of that of a database.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::ServiceByUrl => "service_by_url",
            _ => self.name(),
        }
    }

    /// Whether it is this service.
    pub(super) fn is_service(self) -> bool {
        matches!(self, Self::Service | Self::ServiceByUrl)
    }

    /// How it is started.
    pub(super) fn command(self, binaries: &Binaries, url: &str, address: SocketAddr) -> Command {
        let address_text = address.to_string();
        match self {
            Self::Service | Self::ServiceByUrl => service::inventory(&binaries.service, url, address),
            Self::Peer => {
                let mut command = Command::new(&binaries.peer);
                command.args([url, &address_text]);
                command
            }
            Self::Constant => {
                let mut command = Command::new(&binaries.constant);
                command.arg(address_text);
                command
            }
        }
    }
}

/// The programs of the contestants.
#[derive(Debug)]
pub(super) struct Binaries {
    pub(super) service: PathBuf,
    peer: PathBuf,
    constant: PathBuf,
}

impl Binaries {
    /// Where [`build`] leaves them.
    pub(super) fn new() -> Self {
        let (service, peers) = (repository::target(), peers_target());
        Self {
            service: service.join("release/inventory"),
            peer: peers.join("release/peer"),
            constant: peers.join("release/constant"),
        }
    }
}

/// Builds all, as a user would: the profile `release`.
pub(super) fn build() -> anyhow::Result<()> {
    chore::run(&mut repository::cargo(&["build", "--release", "--locked", "--package", "inventory"]))?;
    let manifest = repository::root().join("xtask/bench/peer/Cargo.toml");
    chore::run(
        repository::cargo(&["build", "--release", "--locked"])
            .args(["--manifest-path".as_ref(), manifest.as_os_str()])
            .args(["--target-dir".as_ref(), peers_target().as_os_str()]),
    )
}

/// A separate target directory: the peers are another workspace with other features.
fn peers_target() -> PathBuf {
    repository::target().join("bench")
}
