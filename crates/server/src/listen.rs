//! One listener: takes connections until it is told to stop, then lets the requests on them finish.

use std::{convert::Infallible, error::Error, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use hyper::{Request, Response, body::Body, body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;
use tower::Service;

/// How many connections a listener holds open at once. Further ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 8192;
/// How long a client may take to send the head of a request, and how long a connection may be idle. Longer than
/// the 60 seconds for which common proxies keep an idle connection, so that it is they who close it: a request
/// that crosses the closing from this side would fail.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// How long to wait when the kernel has no more connections to give, which is when too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Takes an address. This is apart from serving, so that a service that cannot be reached does not touch the
/// database first, and so that clients that come early wait for an answer instead of being refused.
pub(crate) async fn bind(address: SocketAddr, variable: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}, which {variable} names"))
}

/// Serves a listener until `stop`; returns when the last request is answered.
pub(crate) async fn serve<S, B>(listener: TcpListener, service: S, stop: CancellationToken)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = stop.cancelled() => break,
        };
        let Some((stream, place)) = accepted else { break };
        let connection =
            http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service.clone()));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                // Mostly clients that went away; what our side does wrong is logged where it happens.
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// The next connection with its place among [`MAX_CONNECTIONS`].
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Small answers leave at once instead of waiting for the client's acknowledgement.
                drop(stream.set_nodelay(true));
                return Some((stream, place));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
