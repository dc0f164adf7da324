//! One listener: takes connections until it is told to stop, then lets the requests on them finish.

use std::{convert::Infallible, error::Error, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use hyper::{Request, Response, body::Body, body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use inventory_api::Connection;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt as _};

use crate::{tls::Tls, write_deadline::WriteDeadline};

/// How many connections a listener holds open at once. Further ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 8192;
/// How long a client may take to send the head of a request, and how long a connection may be idle. Longer than
/// the 60 seconds for which common proxies keep an idle connection, so that it is they who close it: a request
/// that crosses the closing from this side would fail.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// How many header fields hyper takes: more than the service does, which answers with a problem where hyper
/// answers without a body. Hyper makes room for all of them at every request.
const MAX_HEADER_FIELDS: usize = 128;
/// How many bytes the kernel takes for a connection before the client's side has room for them.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MAX_UNSENT_BYTES: u32 = 128 * 1024;
/// How long to wait when the kernel has no more connections to give, which is when too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Takes an address. This is apart from serving, so that a service that cannot be reached does not touch the
/// database first, and so that clients that come early wait for an answer instead of being refused.
pub(crate) async fn bind(address: SocketAddr, variable: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}, which {variable} names"))
}

/// Serves a listener, with TLS or without, until `stop`; returns when the last request is answered.
pub(crate) async fn serve<S, B>(listener: TcpListener, service: S, tls: Option<Tls>, stop: CancellationToken)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_headers(MAX_HEADER_FIELDS);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = stop.cancelled() => break,
        };
        let Some((stream, peer, place)) = accepted else { break };
        let connection = Connection { peer: peer.ip(), tls: tls.is_some() };
        let service = service.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(connection);
            request
        });
        let speech = Speech { http: http.clone(), service, watcher: graceful.watcher() };
        let (tls, stop) = (tls.clone(), stop.clone());
        let stream = WriteDeadline::new(stream, stop.clone());
        tokio::spawn(async move {
            match tls {
                None => speech.over(stream).await,
                Some(tls) => tokio::select! {
                    agreed = tls.accept(stream) => match agreed {
                        Ok(stream) => speech.over(stream).await,
                        Err(error) => tracing::debug!(%error, "a client did not come to speak TLS"),
                    },
                    // It has yet to ask for something.
                    () = stop.cancelled() => {}
                },
            }
            drop(place);
        });
    }
    drop(listener);
    graceful.shutdown().await;
}

/// What is spoken over one connection.
struct Speech<S> {
    http: http1::Builder,
    service: S,
    watcher: Watcher,
}

impl<S, B> Speech<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    async fn over(self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static) {
        let Self { http, service, watcher } = self;
        let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        if let Err(error) = watcher.watch(connection).await {
            // Mostly clients that went away; what our side does wrong is logged where it happens.
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

/// The next connection with its other end and its place among [`MAX_CONNECTIONS`].
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Small answers leave at once instead of waiting for the client's acknowledgement.
                drop(stream.set_nodelay(true));
                limit_unsent(&stream);
                return Some((stream, peer, place));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot take a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Keeps the kernel from buffering megabytes for a client that takes nothing, and so makes each piece of progress
/// visible to [`WriteDeadline`]. Where the kernel cannot, it buffers more.
fn limit_unsent(stream: &TcpStream) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    drop(socket2::SockRef::from(stream).set_tcp_notsent_lowat(MAX_UNSENT_BYTES));
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = stream;
}
