//! `inventory serve`: what is started in which order, and what is stopped in which.

use std::{future::pending, net::SocketAddr, num::NonZeroU32, path::Path, time::Duration};

use anyhow::Context as _;
use inventory_exporter::MetricsAccess;
use inventory_http::TrustedProxies;
use inventory_store::{Password, Store};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    bootstrap::{self, FirstSecrets},
    config::{Common, Serve},
    connections::Connections,
    database::{self, Purpose},
    descriptors, listen,
    outcome::{Misconfigured, Reported},
    reload::{self, Reload},
    router::{App, Options},
    secret,
    subscribers::ConfiguredSubscribers,
    tls::{self, Tls},
};

/// The options after their secrets were read from files and checked.
struct Settings {
    listen: SocketAddr,
    /// How many connections the main listener holds.
    connections: usize,
    metrics_listen: Option<SocketAddr>,
    metrics_access: MetricsAccess,
    bootstrap_token: Option<SecretString>,
    admin_password: Option<Password>,
    drain: Duration,
    shutdown_timeout: Duration,
    trusted_proxies: TrustedProxies,
    rate_limit: Option<NonZeroU32>,
    max_event_streams: usize,
    tls: Option<tls::Files>,
}

/// Serves until a signal says to stop.
pub(crate) async fn run(
    common: &Common,
    options: Serve,
    subscribers: ConfiguredSubscribers,
) -> anyhow::Result<()> {
    let settings = Settings::read(common, &options)?;
    // Before anything else, so that a signal during a long migration is not lost on us.
    let mut signals = Signals::new()?;
    let hangup = signal(SignalKind::hangup())?;
    let tls = settings.tls.clone().map(Tls::open).transpose()?;
    let listener = listen::bind(settings.listen, "INVENTORY_LISTEN")?;
    let metrics_listener = match settings.metrics_listen {
        Some(address) => Some(listen::bind(address, "INVENTORY_METRICS_LISTEN")?),
        None => None,
    };
    let started = tokio::select! {
        started = start(common, &settings, &listener, metrics_listener.as_ref(), subscribers) => started?,
        () = signals.next() => return Ok(()),
    };
    let (store, app) = started;
    let reload = Reload::new(hangup, store.clone(), settings.metrics_access.clone(), &options);
    tokio::spawn(reload.run());
    let tls = tls.map(|(tls, renewal)| {
        tokio::spawn(renewal.run());
        tls
    });
    serve(app, store, listener, metrics_listener, tls, &settings, signals).await
}

/// Opens the database, starts the subscribers, creates the first user and tokens, and prints where the service serves.
async fn start(
    common: &Common,
    settings: &Settings,
    listener: &TcpListener,
    metrics_listener: Option<&TcpListener>,
    subscribers: ConfiguredSubscribers,
) -> anyhow::Result<(Store, App)> {
    let store = database::open(common, Purpose::Fill).await?;
    subscribers.start(store.bus());
    let token = match &settings.bootstrap_token {
        Some(token) => {
            reload::ensure_bootstrap_token(&store, token).await?;
            None
        }
        None => bootstrap::first_token(&store).await?,
    };
    let password = bootstrap::first_user(&store, settings.admin_password.clone()).await?;
    let first = FirstSecrets { password, token };
    let options = Options {
        metrics_access: settings.metrics_access.clone(),
        trusted_proxies: settings.trusted_proxies.clone(),
        rate_limit: settings.rate_limit,
        max_event_streams: settings.max_event_streams,
        ..Options::default()
    };
    let app = App::start(store.clone(), options).await?;
    let metrics_address = metrics_listener.map(TcpListener::local_addr).transpose()?;
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    let printed = bootstrap::print(scheme, listener.local_addr()?, metrics_address, &first);
    if first.any() {
        printed.context(
            "cannot print the first password and API token; create new ones with `inventory user passwd \
             admin` and `inventory token create NAME`",
        )?;
    }
    Ok((store, app))
}

/// Serves until a signal. Then `/readyz` fails, and the drain time passes. Then, in this order and under one deadline:
/// take no more connections, end the event streams, let requests finish, finish the writes and their events.
async fn serve(
    app: App,
    store: Store,
    listener: TcpListener,
    metrics_listener: Option<TcpListener>,
    tls: Option<Tls>,
    settings: &Settings,
    mut signals: Signals,
) -> anyhow::Result<()> {
    tracing::info!(address = %listener.local_addr()?, tls = tls.is_some(), "serving");
    let stop = CancellationToken::new();
    let mut listeners = JoinSet::new();
    let connections = |name, count| Connections::new(name, count, settings.trusted_proxies.clone());
    if let Some(listener) = metrics_listener {
        let on_loopback = listener.local_addr()?.ip().is_loopback();
        let connections = connections("metrics", descriptors::METRICS_CONNECTIONS);
        listeners.spawn(listen::serve(
            listener,
            app.metrics_router(on_loopback),
            tls.clone(),
            connections,
            stop.clone(),
        ));
    }
    let connections = connections("main", settings.connections);
    listeners.spawn(listen::serve(listener, app.router(), tls, connections, stop.clone()));
    let mut failed = until_stop(&store, &mut signals).await;
    app.set_stopping();
    if !failed && !settings.drain.is_zero() {
        tracing::info!(drain_seconds = settings.drain.as_secs(), "draining, /readyz fails");
        // A second signal ends this early.
        failed = timeout(settings.drain, until_stop(&store, &mut signals)).await.unwrap_or(false);
    }
    let deadline = Instant::now() + settings.shutdown_timeout;
    tokio::select! {
        outcome = shut_down(&app, store, listeners, stop, deadline) => {
            if failed { Err(Reported.into()) } else { outcome }
        }
        () = signals.next() => {
            tracing::warn!("second signal received, exiting at once");
            Err(Reported.into())
        }
    }
}

/// Waits for a signal, or until a core task has ended; whether it is that.
async fn until_stop(store: &Store, signals: &mut Signals) -> bool {
    tokio::select! {
        () = signals.next() => false,
        task = store.core_tasks().wait_for_unexpected_end() => {
            tracing::error!(task, "core task ended, exiting");
            true
        }
    }
}

async fn shut_down(
    app: &App,
    store: Store,
    mut listeners: JoinSet<()>,
    stop: CancellationToken,
    deadline: Instant,
) -> anyhow::Result<()> {
    tracing::info!("stopping");
    stop.cancel();
    app.stop_streams();
    let answered =
        timeout_at(deadline, async { while listeners.join_next().await.is_some() {} }).await.is_ok();
    if !answered {
        tracing::error!("shutdown timeout, aborting unfinished requests");
    }
    // Whatever the requests did, the writes that the writer has taken are finished.
    let closed = timeout_at(deadline.max(Instant::now() + CLOSE_TIMEOUT), store.close()).await.is_ok();
    if !closed {
        tracing::error!("shutdown timeout, store not closed");
    }
    if answered && closed {
        tracing::info!("stopped");
        Ok(())
    } else {
        Err(Reported.into())
    }
}

/// What closing the store may take where requests have used up the whole deadline.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            Some(()) = self.terminate.recv() => {}
            Some(()) = self.interrupt.recv() => {}
            else => pending().await,
        }
    }
}

impl Settings {
    fn read(common: &Common, options: &Serve) -> Result<Self, Misconfigured> {
        let token = secret(
            "INVENTORY_METRICS_TOKEN",
            options.metrics_token.as_ref(),
            options.metrics_token_file.as_deref(),
        )?;
        Ok(Self {
            listen: options.listen,
            connections: descriptors::main_connections(descriptors::raise_limit(), common.readers),
            metrics_listen: options.metrics_listen,
            metrics_access: metrics_access(options, token.as_ref())?,
            bootstrap_token: secret(
                "INVENTORY_BOOTSTRAP_TOKEN",
                options.bootstrap_token.as_ref(),
                options.bootstrap_token_file.as_deref(),
            )?,
            admin_password: admin_password(options)?,
            drain: options.drain(),
            shutdown_timeout: options.shutdown_timeout(),
            trusted_proxies: options.trusted_proxies.clone().unwrap_or_default(),
            rate_limit: NonZeroU32::new(options.rate_limit),
            max_event_streams: usize::try_from(options.max_event_streams).unwrap_or(usize::MAX),
            tls: tls_files(options)?,
        })
    }
}

fn admin_password(options: &Serve) -> Result<Option<Password>, Misconfigured> {
    const VARIABLE: &str = "INVENTORY_ADMIN_PASSWORD";
    let misconfigured = |error: &dyn std::fmt::Display| Misconfigured(format!("{VARIABLE} {error}"));
    let text = match (&options.admin_password, &options.admin_password_file) {
        (Some(text), _) => text.clone(),
        (None, Some(path)) => secret::read("INVENTORY_ADMIN_PASSWORD_FILE", path)
            .map_err(|error| Misconfigured(format!("{error:#}")))?,
        (None, None) => return Ok(None),
    };
    Password::new(text.expose_secret()).map(Some).map_err(|error| misconfigured(&error))
}

fn secret(
    variable: &str,
    given: Option<&SecretString>,
    file: Option<&Path>,
) -> Result<Option<SecretString>, Misconfigured> {
    secret::resolve(variable, given, file).map_err(|error| Misconfigured(format!("{error:#}")))
}

/// The certificate and its key, where both are given.
fn tls_files(options: &Serve) -> Result<Option<tls::Files>, Misconfigured> {
    let lonely = |given: &str, missing: &str| {
        Err(Misconfigured(format!("{given} is set without {missing}, and TLS needs both")))
    };
    match (&options.tls_cert, &options.tls_key) {
        (Some(certificate), Some(key)) => {
            Ok(Some(tls::Files { certificate: certificate.clone(), key: key.clone() }))
        }
        (None, None) => Ok(None),
        (Some(_), None) => lonely("INVENTORY_TLS_CERT", "INVENTORY_TLS_KEY"),
        (None, Some(_)) => lonely("INVENTORY_TLS_KEY", "INVENTORY_TLS_CERT"),
    }
}

/// Who may read `/metrics/`.
fn metrics_access(options: &Serve, token: Option<&SecretString>) -> Result<MetricsAccess, Misconfigured> {
    // What is behind a proxy can be reached from where the proxy can.
    let local = options.listen.ip().is_loopback() && options.trusted_proxies.is_none();
    match token {
        Some(_) if options.metrics_public => Err(Misconfigured(
            "INVENTORY_METRICS_PUBLIC and INVENTORY_METRICS_TOKEN contradict each other".to_owned(),
        )),
        Some(token) => Ok(MetricsAccess::token(token.expose_secret())),
        None if options.metrics_public => Ok(MetricsAccess::Open),
        None if local => Ok(MetricsAccess::Loopback),
        None => Ok(MetricsAccess::Closed),
    }
}

#[cfg(test)]
mod tests {
    use inventory_store::Config;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_whose_core_task_has_ended_exits_with_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("inventory.db").display());
        let store = Store::open(Config::new(&url)).await.unwrap();
        let app = App::start(store.clone(), Options::default()).await.unwrap();
        let settings = Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            connections: 16,
            metrics_listen: None,
            metrics_access: MetricsAccess::Open,
            bootstrap_token: None,
            admin_password: None,
            drain: Duration::from_mins(10),
            shutdown_timeout: Duration::from_secs(10),
            trusted_proxies: TrustedProxies::default(),
            rate_limit: None,
            max_event_streams: 1,
            tls: None,
        };
        let listener = listen::bind(settings.listen, "INVENTORY_LISTEN").unwrap();
        let signals = Signals::new().unwrap();
        let tasks = store.core_tasks().clone();
        let server =
            tokio::spawn(async move { serve(app, store, listener, None, None, &settings, signals).await });
        tasks.spawn("test", async {});
        // Well within the time to drain, since a server without one of its tasks does not wait for that.
        let outcome = timeout(Duration::from_mins(1), server).await.expect("it still serves").unwrap();
        assert!(outcome.unwrap_err().is::<Reported>());
    }
}
