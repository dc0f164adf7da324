//! `inventory serve`: what is started in which order, and what is stopped in which.

use std::{future::pending, net::SocketAddr, num::NonZeroU32, path::Path, time::Duration};

use anyhow::Context as _;
use inventory_admin::Admin;
use inventory_api::{App, MetricsAccess, Options, TrustedProxies};
use inventory_store::{Password, Store};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Misconfigured, Reported,
    config::{Common, Serve},
    connections::Connections,
    database::{self, Purpose},
    descriptors, listen,
    reload::{self, Reload},
    secret,
    tls::{self, Tls},
    welcome::{self, FirstSecrets},
};

/// The options after their secrets were read from files and checked.
struct Settings {
    listen: SocketAddr,
    /// How many connections the main listener holds.
    connections: usize,
    metrics_listen: Option<SocketAddr>,
    metrics_access: MetricsAccess,
    bootstrap_token: Option<secret::Text>,
    admin_password: Option<Password>,
    drain: Duration,
    shutdown_timeout: Duration,
    trusted_proxies: TrustedProxies,
    rate_limit: Option<NonZeroU32>,
    max_event_streams: usize,
    tls: Option<tls::Files>,
}

/// Serves until a signal says to stop.
pub(crate) async fn run(common: &Common, options: Serve) -> anyhow::Result<()> {
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
        started = start(common, &settings, &listener, metrics_listener.as_ref()) => started?,
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

/// Opens the database, makes the tokens that must be there, and says where the service serves.
async fn start(
    common: &Common,
    settings: &Settings,
    listener: &TcpListener,
    metrics_listener: Option<&TcpListener>,
) -> anyhow::Result<(Store, App)> {
    let store = database::open(common, Purpose::Fill).await?;
    let token = match &settings.bootstrap_token {
        Some(token) => {
            reload::ensure_bootstrap_token(&store, token).await?;
            None
        }
        None => welcome::first_token(&store).await?,
    };
    let password = welcome::first_user(&store, settings.admin_password.clone()).await?;
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
    let printed = welcome::print(scheme, listener.local_addr()?, metrics_address, &first);
    if first.any() {
        printed.context(
            "cannot print the first password and API token; make others by `inventory user passwd admin` and \
             `inventory token create NAME`",
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
    let admin = Admin::new(store.clone());
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
    let router = app.router_with(admin.router());
    listeners.spawn(listen::serve(listener, router, tls, connections, stop.clone()));
    let mut failed = until_stop(&store, &mut signals).await;
    app.set_stopping();
    if !failed && !settings.drain.is_zero() {
        tracing::info!(drain_seconds = settings.drain.as_secs(), "draining: not ready, and still serving");
        // A second signal ends this early.
        failed = timeout(settings.drain, until_stop(&store, &mut signals)).await.unwrap_or(false);
    }
    let deadline = Instant::now() + settings.shutdown_timeout;
    tokio::select! {
        outcome = shut_down(&app, &admin, store, listeners, stop, deadline) => {
            if failed { Err(Reported.into()) } else { outcome }
        }
        () = signals.next() => {
            tracing::warn!("a second signal: exiting at once");
            Err(Reported.into())
        }
    }
}

/// Waits for a signal, or until a core task has ended; whether it is that.
async fn until_stop(store: &Store, signals: &mut Signals) -> bool {
    tokio::select! {
        () = signals.next() => false,
        task = store.core_tasks().wait_for_unexpected_end() => {
            tracing::error!(task, "a core task has ended, exiting");
            true
        }
    }
}

async fn shut_down(
    app: &App,
    admin: &Admin,
    store: Store,
    mut listeners: JoinSet<()>,
    stop: CancellationToken,
    deadline: Instant,
) -> anyhow::Result<()> {
    tracing::info!("stopping");
    stop.cancel();
    app.stop_streams();
    admin.stop_streams();
    let answered =
        timeout_at(deadline, async { while listeners.join_next().await.is_some() {} }).await.is_ok();
    if !answered {
        tracing::error!("some requests did not finish in time and are cut off");
    }
    // Whatever the requests did, the writes that the writer has taken are finished.
    let closed = timeout_at(deadline.max(Instant::now() + CLOSE_TIMEOUT), store.close()).await.is_ok();
    if !closed {
        tracing::error!("the store did not close in time");
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
    Password::new(text.as_str()).map(Some).map_err(|error| misconfigured(&error))
}

fn secret(
    variable: &str,
    given: Option<&secret::Text>,
    file: Option<&Path>,
) -> Result<Option<secret::Text>, Misconfigured> {
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
fn metrics_access(options: &Serve, token: Option<&secret::Text>) -> Result<MetricsAccess, Misconfigured> {
    // What is behind a proxy can be reached from where the proxy can.
    let local = options.listen.ip().is_loopback() && options.trusted_proxies.is_none();
    match token {
        Some(_) if options.metrics_public => Err(Misconfigured(
            "INVENTORY_METRICS_PUBLIC and INVENTORY_METRICS_TOKEN contradict each other".to_owned(),
        )),
        Some(token) => Ok(MetricsAccess::token(token.as_str())),
        None if options.metrics_public => Ok(MetricsAccess::Open),
        None if local => Ok(MetricsAccess::Loopback),
        None => Ok(MetricsAccess::Closed),
    }
}
