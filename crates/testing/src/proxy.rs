//! A TCP proxy that fails on demand.

use std::{net::SocketAddr, pin::pin, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// What a proxy does to the connections through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It passes everything on.
    None,
    /// Connections stay open, and nothing goes through in either direction. New ones are accepted.
    Blackhole,
    /// Each connection is closed, and new ones too.
    Cut,
    /// Everything is passed on later.
    Delay(Duration),
}

/// A proxy on a free port of the loopback address, closed when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    fault: watch::Sender<Fault>,
    /// Connections that were made before this generation pass nothing on.
    generation: watch::Sender<u64>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A proxy to a server.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (fault, faults) = watch::channel(Fault::None);
        let (generation, generations) = watch::channel(0);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let now = *generations.borrow();
                tokio::spawn(connection(client, target, faults.clone(), generations.clone(), now));
            }
        });
        Self { address, fault, generation, task }
    }

    /// Keeps the connections that are there open for ever and passes nothing more on. New ones work.
    pub fn strand_connections(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// Begins a fault, or ends it with [`Fault::None`].
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.fault.send_replace(Fault::Cut);
    }
}

async fn connection(
    client: TcpStream,
    target: SocketAddr,
    faults: watch::Receiver<Fault>,
    mut stranded: watch::Receiver<u64>,
    generation: u64,
) {
    if *faults.borrow() == Fault::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else { return };
    for socket in [&client, &server] {
        socket.set_nodelay(true).unwrap();
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut cut = faults.clone();
    let up = pass(from_client, to_server, faults.clone());
    let down = pass(from_server, to_client, faults);
    let (mut up, mut down) = (pin!(up), pin!(down));
    tokio::select! {
        biased;
        _ = stranded.wait_for(|now| *now > generation) => {}
        () = &mut up => return,
        () = &mut down => return,
        _ = cut.wait_for(|fault| *fault == Fault::Cut) => return,
    }
    // Stranded: the sockets stay open until everything is cut.
    let _closed = cut.wait_for(|fault| *fault == Fault::Cut).await;
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut faults: watch::Receiver<Fault>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if faults.wait_for(|fault| *fault != Fault::Blackhole).await.is_err() {
            return;
        }
        let fault = *faults.borrow();
        if let Fault::Delay(delay) = fault {
            tokio::time::sleep(delay).await;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
