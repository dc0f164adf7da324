//! SIGHUP: reloads secrets from their files. A separate task in `tls.rs` reloads the TLS certificate.

use std::path::PathBuf;

use anyhow::Context as _;
use inventory_core::Actor;
use inventory_exporter::MetricsAccess;
use inventory_store::Store;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::signal::unix::Signal;

use crate::{config::Serve, secret};

/// The name of the token that `INVENTORY_BOOTSTRAP_TOKEN` ensures.
const BOOTSTRAP_TOKEN: &str = "bootstrap";

/// Creates the bootstrap token. An existing one with another secret is revoked.
pub(crate) async fn ensure_bootstrap_token(store: &Store, secret: &SecretString) -> anyhow::Result<()> {
    store
        .tokens()
        .ensure(BOOTSTRAP_TOKEN, secret.expose_secret(), Actor::system())
        .await
        .map(drop)
        .context("cannot create the token of INVENTORY_BOOTSTRAP_TOKEN")
}

/// Reloads secrets on each SIGHUP. If a secret cannot be used, the error is logged and the previous one stays
/// valid.
pub(crate) struct Reload {
    hangup: Signal,
    store: Store,
    metrics_access: MetricsAccess,
    metrics_token_file: Option<PathBuf>,
    bootstrap_token_file: Option<PathBuf>,
}

impl Reload {
    pub(crate) fn new(hangup: Signal, store: Store, metrics_access: MetricsAccess, options: &Serve) -> Self {
        Self {
            hangup,
            store,
            metrics_access,
            metrics_token_file: options.metrics_token_file.clone(),
            bootstrap_token_file: options.bootstrap_token_file.clone(),
        }
    }

    /// Runs until it is dropped.
    pub(crate) async fn run(mut self) {
        while self.hangup.recv().await.is_some() {
            for outcome in [self.metrics_token(), self.bootstrap_token().await] {
                if let Err(error) = outcome {
                    tracing::error!(
                        error = format!("{error:#}"),
                        "secret not reloaded, keeping the previous one"
                    );
                }
            }
            tracing::info!("reload finished");
        }
    }

    fn metrics_token(&self) -> anyhow::Result<()> {
        let file = self.metrics_token_file.as_deref();
        if let Some(token) = secret::resolve("INVENTORY_METRICS_TOKEN", None, file)? {
            self.metrics_access.replace_token(token.expose_secret());
        }
        Ok(())
    }

    async fn bootstrap_token(&self) -> anyhow::Result<()> {
        let file = self.bootstrap_token_file.as_deref();
        match secret::resolve("INVENTORY_BOOTSTRAP_TOKEN", None, file)? {
            Some(token) => ensure_bootstrap_token(&self.store, &token).await,
            None => Ok(()),
        }
    }
}
