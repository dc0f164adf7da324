//! One listener: takes connections until it is told to stop, then lets the requests on them finish.

use std::{
    convert::Infallible,
    error::Error,
    future::pending,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use hyper::{
    Request, Response,
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use inventory_http::{Connection, HealthOnly};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt as _};

use crate::{
    connections::{Admitted, BusyBody, Connections, Requests},
    tls::Tls,
    write_deadline::WriteDeadline,
};

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
/// How many connections may wait to be accepted; on Linux, no more than `net.core.somaxconn`. What comes beyond tries
/// again a second later.
const LISTEN_BACKLOG: u32 = 4096;
/// How long to wait when the kernel has no more connections to give, which is when too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often a listener without new connections looks whether an overload is over.
const TICK: Duration = Duration::from_secs(1);

/// Takes an address. This is apart from serving, so that a service that cannot be reached does not touch the
/// database first, and so that clients that come early wait for an answer instead of being refused.
pub(crate) fn bind(address: SocketAddr, variable: &str) -> anyhow::Result<TcpListener> {
    listen(address).with_context(|| format!("cannot listen on {address}, which {variable} names"))
}

/// Like [`TcpListener::bind`], but with a longer queue: that one holds 128 connections.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart takes the address while connections of the process before it are being closed.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(LISTEN_BACKLOG)
}

/// Serves a listener, with TLS or without, until `stop`; returns when the last request is answered.
pub(crate) async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    tls: Option<Tls>,
    connections: Connections,
    stop: CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_headers(MAX_HEADER_FIELDS);
    let graceful = GracefulShutdown::new();
    let mut accept = Accept { listener, connections, failing: None };
    loop {
        let (stream, peer, admitted) = tokio::select! {
            accepted = accept.next() => accepted,
            () = stop.cancelled() => break,
        };
        let mut http = http.clone();
        // A reserved connection serves one request, to make room for the next client.
        http.keep_alive(!admitted.held.reserved);
        let connection = Connection { peer: peer.ip(), tls: tls.is_some() };
        let speech = Speech {
            http,
            service: service.clone(),
            connection,
            requests: admitted.held.requests(),
            reserved: admitted.held.reserved,
            watcher: graceful.watcher(),
        };
        let (tls, stop) = (tls.clone(), stop.clone());
        let stream = WriteDeadline::new(stream, stop.clone());
        tokio::spawn(admitted.run(async move {
            match tls {
                None => speech.over(stream).await,
                Some(tls) => tokio::select! {
                    agreed = tls.accept(stream) => match agreed {
                        Ok(stream) => speech.over(stream).await,
                        Err(error) => tracing::debug!(%error, "TLS handshake failed"),
                    },
                    // The client has not sent a request yet.
                    () = stop.cancelled() => {}
                },
            }
        }));
    }
    drop(accept);
    graceful.shutdown().await;
}

/// What is spoken over one connection.
struct Speech<S> {
    http: http1::Builder,
    service: S,
    connection: Connection,
    requests: Requests,
    reserved: bool,
    watcher: Watcher,
}

impl<S, B> Speech<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    async fn over(self, stream: impl AsyncRead + AsyncWrite + Unpin + 'static) {
        let Self { http, service, connection, requests, reserved, watcher } = self;
        let service = service_fn(move |mut request: Request<Incoming>| {
            let busy = requests.begin();
            request.extensions_mut().insert(connection);
            if reserved {
                request.extensions_mut().insert(HealthOnly);
            }
            let answer = service.clone().oneshot(request);
            async move {
                match busy {
                    Some(busy) => answer.await.map(|answer| answer.map(|body| BusyBody::new(body, busy))),
                    // The connection is being closed.
                    None => pending().await,
                }
            }
        });
        let connection = http.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            // Mostly clients that went away; what our side does wrong is logged where it happens.
            tracing::debug!(%error, "connection error");
        }
    }
}

/// Accepts connections within the limits.
struct Accept {
    listener: TcpListener,
    connections: Connections,
    /// Since when the kernel has given none.
    failing: Option<Instant>,
}

impl Accept {
    /// The next connection with its other end.
    async fn next(&mut self) -> (TcpStream, SocketAddr, Admitted) {
        loop {
            match timeout(TICK, self.listener.accept()).await {
                Ok(Ok((stream, peer))) => {
                    self.succeeded();
                    if let Some(admitted) = self.connections.admit(peer.ip()).await {
                        // Small answers leave at once instead of waiting for the client's acknowledgement.
                        drop(stream.set_nodelay(true));
                        limit_unsent(&stream);
                        return (stream, peer, admitted);
                    }
                }
                Ok(Err(error)) => self.failed(&error).await,
                Err(_elapsed) => {}
            }
            self.connections.log_end_of_overload();
        }
    }

    fn succeeded(&mut self) {
        if let Some(since) = self.failing.take() {
            let duration_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(duration_ms, "accepting connections again");
        }
    }

    async fn failed(&mut self, error: &io::Error) {
        if self.failing.is_none() {
            tracing::warn!(%error, "cannot accept connections");
            self.failing = Some(Instant::now());
        }
        tokio::time::sleep(ACCEPT_PAUSE).await;
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
