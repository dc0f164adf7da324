//! `inventory serve`: what is started in which order, and what is stopped in which.

use std::{future::pending, net::SocketAddr, path::Path, process, time::Duration};

use anyhow::Context as _;
use inventory_api::{App, MetricsAccess, Options};
use inventory_core::Actor;
use inventory_store::Store;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    task::JoinSet,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Misconfigured, Reported,
    config::{Common, Serve},
    database::{self, Purpose},
    listen, secret, welcome,
};

/// The name of the token that `INVENTORY_BOOTSTRAP_TOKEN` ensures.
const BOOTSTRAP_TOKEN: &str = "bootstrap";

/// The options after their secrets were read from files and checked.
struct Settings {
    listen: SocketAddr,
    metrics_listen: Option<SocketAddr>,
    metrics_access: MetricsAccess,
    bootstrap_token: Option<secret::Text>,
    shutdown_timeout: Duration,
}

/// Serves until a signal says to stop.
pub(crate) async fn run(common: &Common, options: Serve) -> anyhow::Result<()> {
    let settings = Settings::read(&options)?;
    // Before anything else, so that a signal during a long migration is not lost on us.
    let mut signals = Signals::new()?;
    let listener = listen::bind(settings.listen, "INVENTORY_LISTEN").await?;
    let metrics_listener = match settings.metrics_listen {
        Some(address) => Some(listen::bind(address, "INVENTORY_METRICS_LISTEN").await?),
        None => None,
    };
    let started = tokio::select! {
        started = start(common, &settings, &listener, metrics_listener.as_ref()) => started?,
        () = signals.next() => return Ok(()),
    };
    let (store, app) = started;
    serve(app, store, listener, metrics_listener, settings.shutdown_timeout, signals).await
}

/// Opens the database, makes the tokens that must be there, and says where the service serves.
async fn start(
    common: &Common,
    settings: &Settings,
    listener: &TcpListener,
    metrics_listener: Option<&TcpListener>,
) -> anyhow::Result<(Store, App)> {
    let store = database::open(common, Purpose::Fill).await?;
    let first_token = match &settings.bootstrap_token {
        Some(token) => {
            store
                .ensure_token(BOOTSTRAP_TOKEN, token.as_str(), Actor::system())
                .await
                .context("cannot make the token that INVENTORY_BOOTSTRAP_TOKEN gives")?;
            None
        }
        None => welcome::first_token(&store).await?,
    };
    let options = Options { metrics_access: settings.metrics_access.clone(), ..Options::default() };
    let app = App::start(store.clone(), options).await?;
    let metrics_address = metrics_listener.map(TcpListener::local_addr).transpose()?;
    let printed = welcome::print(listener.local_addr()?, metrics_address, first_token.as_deref());
    if first_token.is_some() {
        printed.context("cannot print the first API token; make another by `inventory token create NAME`")?;
    }
    Ok((store, app))
}

/// Serves, and at the signal stops in this order under one deadline: say so on `/readyz`, take no more
/// connections, end the event streams, let requests finish, finish the writes and their events.
async fn serve(
    app: App,
    store: Store,
    listener: TcpListener,
    metrics_listener: Option<TcpListener>,
    shutdown_timeout: Duration,
    mut signals: Signals,
) -> anyhow::Result<()> {
    tracing::info!(address = %listener.local_addr()?, "serving");
    let stop = CancellationToken::new();
    let mut listeners = JoinSet::new();
    listeners.spawn(listen::serve(listener, app.router(), stop.clone()));
    if let Some(listener) = metrics_listener {
        listeners.spawn(listen::serve(listener, app.metrics_router(), stop.clone()));
    }
    signals.next().await;
    let deadline = Instant::now() + shutdown_timeout;
    tokio::select! {
        outcome = shut_down(&app, store, listeners, stop, deadline) => outcome,
        () = signals.next() => {
            tracing::warn!("a second signal: exiting at once");
            process::exit(crate::FAILURE.into())
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
    app.set_stopping();
    stop.cancel();
    app.stop_streams();
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
    fn read(options: &Serve) -> Result<Self, Misconfigured> {
        let token = secret(
            "INVENTORY_METRICS_TOKEN",
            options.metrics_token.as_ref(),
            options.metrics_token_file.as_deref(),
        )?;
        Ok(Self {
            listen: options.listen,
            metrics_listen: options.metrics_listen,
            metrics_access: metrics_access(options, token.as_ref())?,
            bootstrap_token: secret(
                "INVENTORY_BOOTSTRAP_TOKEN",
                options.bootstrap_token.as_ref(),
                options.bootstrap_token_file.as_deref(),
            )?,
            shutdown_timeout: options.shutdown_timeout(),
        })
    }
}

fn secret(
    variable: &str,
    given: Option<&secret::Text>,
    file: Option<&Path>,
) -> Result<Option<secret::Text>, Misconfigured> {
    secret::resolve(variable, given, file).map_err(|error| Misconfigured(format!("{error:#}")))
}

/// Who may read `/metrics/`.
fn metrics_access(options: &Serve, token: Option<&secret::Text>) -> Result<MetricsAccess, Misconfigured> {
    match token {
        Some(_) if options.metrics_public => Err(Misconfigured(
            "INVENTORY_METRICS_PUBLIC and INVENTORY_METRICS_TOKEN contradict each other".to_owned(),
        )),
        Some(token) => Ok(MetricsAccess::token(token.as_str())),
        None if options.metrics_public || options.listen.ip().is_loopback() => Ok(MetricsAccess::Open),
        None => Ok(MetricsAccess::Closed),
    }
}
