//! TLS on the listeners: a certificate and its key from two files, which are read again when they change.
//!
//! New connections get the new certificate; open ones go on. What cannot be used is logged once, and the
//! certificate before it stays.

use std::{
    fmt::Display,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use anyhow::{Context as _, bail};
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    signal::unix::{Signal, SignalKind, signal},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// Timeout of the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the files are checked. SIGHUP triggers a check at once.
const POLL: Duration = Duration::from_secs(5);
/// The ALPN protocol.
const HTTP1: &[u8] = b"http/1.1";

/// Where the certificate and its key are, both as PEM.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// What `INVENTORY_TLS_CERT` names: the certificate, followed by its intermediate certificates.
    pub(crate) certificate: PathBuf,
    /// What `INVENTORY_TLS_KEY` names.
    pub(crate) key: PathBuf,
}

/// The contents of the files.
#[derive(PartialEq, Eq)]
struct Pair {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Files {
    fn read(&self) -> anyhow::Result<Pair> {
        let read = |path: &Path, variable| {
            fs::read(path).with_context(|| format!("cannot read {}, which {variable} names", path.display()))
        };
        Ok(Pair {
            certificate: read(&self.certificate, "INVENTORY_TLS_CERT")?,
            key: read(&self.key, "INVENTORY_TLS_KEY")?,
        })
    }
}

impl Pair {
    /// Parses the pair, and checks that the key belongs to the certificate.
    fn certified_key(&self, provider: &CryptoProvider) -> anyhow::Result<CertifiedKey> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<_, _>>()
            .context("the file of INVENTORY_TLS_CERT is not PEM")?;
        if chain.is_empty() {
            bail!("the file of INVENTORY_TLS_CERT holds no certificate");
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .context("the file of INVENTORY_TLS_KEY holds no private key")?;
        CertifiedKey::from_der(chain, key, provider)
            .context("the certificate of INVENTORY_TLS_CERT and the key of INVENTORY_TLS_KEY cannot be used")
    }
}

/// The certificate that new connections get.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// TLS for connections. Clones share the certificate.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
}

impl Tls {
    /// Reads the files. The `Renewal` reloads the certificate while it runs.
    pub(crate) fn open(files: Files) -> anyhow::Result<(Self, Renewal)> {
        let provider = Arc::new(ring::default_provider());
        let pair = files.read()?;
        let current = Arc::new(Current(RwLock::new(Arc::new(pair.certified_key(&provider)?))));
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as _);
        config.alpn_protocols = vec![HTTP1.to_vec()];
        let hangup = signal(SignalKind::hangup())?;
        let renewal = Renewal { files, provider, current, hangup, seen: Ok(pair) };
        Ok((Self { acceptor: TlsAcceptor::from(Arc::new(config)) }, renewal))
    }

    /// Performs the TLS handshake with a client.
    pub(crate) async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        timeout(HANDSHAKE_TIMEOUT, self.acceptor.accept(stream)).await?
    }
}

/// Reloads the certificate when its files change.
pub(crate) struct Renewal {
    files: Files,
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
    hangup: Signal,
    /// The last contents that were read, or the error.
    seen: Result<Pair, String>,
}

impl Renewal {
    /// Runs until it is dropped.
    pub(crate) async fn run(mut self) {
        let mut due = interval(POLL);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = due.tick() => {}
                Some(()) = self.hangup.recv() => {}
            }
            let files = self.files.clone();
            match tokio::task::spawn_blocking(move || files.read()).await {
                Ok(found) => self.take(found.map_err(|error| format!("{error:#}"))),
                Err(error) => tracing::error!(%error, "failed to check the TLS certificate files"),
            }
        }
    }

    fn take(&mut self, found: Result<Pair, String>) {
        if found == self.seen {
            return;
        }
        match &found {
            Ok(pair) => match pair.certified_key(&self.provider) {
                Ok(new) => {
                    *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
                    tracing::info!("TLS certificate reloaded");
                }
                Err(error) => keeps(format_args!("{error:#}")),
            },
            Err(error) => keeps(error),
        }
        self.seen = found;
    }
}

fn keeps(error: impl Display) {
    tracing::error!(%error, "TLS certificate not reloaded, keeping the previous one");
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    fn files(directory: &TempDir, certificate: &str, key: &str) -> Files {
        let path = |name: &str| directory.path().join(name);
        fs::write(path("certificate.pem"), certificate).unwrap();
        fs::write(path("key.pem"), key).unwrap();
        Files { certificate: path("certificate.pem"), key: path("key.pem") }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_given_up() {
        let directory = TempDir::new().unwrap();
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (tls, _) =
            Tls::open(files(&directory, &own.cert.pem(), &own.signing_key.serialize_pem())).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _silent = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let since = tokio::time::Instant::now();
        let error = tls.accept(stream).await.err().unwrap();
        assert_eq!((error.kind(), since.elapsed().as_secs()), (io::ErrorKind::TimedOut, 10));
    }

    #[tokio::test]
    async fn files_that_are_of_no_use_are_named() {
        let directory = TempDir::new().unwrap();
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (own.cert.pem(), own.signing_key.serialize_pem());
        for (certificate, key, complaint) in [
            ("", &*key, "INVENTORY_TLS_CERT holds no certificate"),
            (&*key, &*key, "INVENTORY_TLS_CERT holds no certificate"),
            ("-----BEGIN CERTIFICATE-----\n?", &*key, "INVENTORY_TLS_CERT is not PEM"),
            (&*certificate, "", "INVENTORY_TLS_KEY holds no private key"),
            (&*certificate, &*certificate, "INVENTORY_TLS_KEY holds no private key"),
            (&*certificate, &*other.signing_key.serialize_pem(), "cannot be used"),
        ] {
            let error = Tls::open(files(&directory, certificate, key)).err().unwrap();
            assert!(format!("{error:#}").contains(complaint), "{error:#}");
        }
        let nowhere = Files { certificate: "no/such/file".into(), key: "no/such/file".into() };
        let error = format!("{:#}", Tls::open(nowhere).err().unwrap());
        assert!(error.contains("no/such/file, which INVENTORY_TLS_CERT names"), "{error}");
    }
}
