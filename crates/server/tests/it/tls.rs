//! HTTPS: who trusts the certificate is served, and a new one is taken without a restart.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    time::Instant,
};

use reqwest::{Client, StatusCode};
use tempfile::TempDir;

use crate::{
    command::run_with,
    database::TestDatabase,
    server::{PATIENCE, Server, TOKEN, client, client_that_trusts},
};

/// A certificate for this machine, and its key, in files.
pub(crate) struct Certificate {
    /// The certificate itself.
    pub(crate) pem: String,
    key: String,
    files: [PathBuf; 2],
    _directory: TempDir,
}

impl Certificate {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let files = ["certificate.pem", "key.pem"].map(|name| directory.path().join(name));
        let (pem, key) = pair();
        let certificate = Self { pem, key, files, _directory: directory };
        certificate.write();
        certificate
    }

    /// What has the server use it.
    pub(crate) fn variables(&self) -> [(&str, &str); 2] {
        let [certificate, key] = self.files.each_ref().map(|file| file.to_str().unwrap());
        [("INVENTORY_TLS_CERT", certificate), ("INVENTORY_TLS_KEY", key)]
    }

    /// Puts another one into the files.
    fn replace(&mut self) {
        (self.pem, self.key) = pair();
        self.write();
    }

    fn write(&self) {
        for (file, text) in self.files.iter().zip([&self.pem, &self.key]) {
            fs::write(file, text).unwrap();
        }
    }

    fn start(&self, database: &TestDatabase) -> Server {
        let [certificate, key] = self.variables();
        Server::start_with(database, &[("INVENTORY_BOOTSTRAP_TOKEN", TOKEN), certificate, key])
    }
}

fn pair() -> (String, String) {
    let pair = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    (pair.cert.pem(), pair.signing_key.serialize_pem())
}

async fn is_answered(client: &Client, server: &Server) -> bool {
    let answer = client.get(format!("{}/livez", server.base)).send().await;
    answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
}

/// Waits until the server has a certificate that this one trusts.
async fn until_trusted(certificate: &Certificate, server: &Server) {
    let deadline = Instant::now() + PATIENCE;
    while !is_answered(&client_that_trusts(&certificate.pem), server).await {
        assert!(Instant::now() < deadline, "{}", server.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_trusts_the_certificate_is_served() {
    let database = TestDatabase::sqlite();
    let certificate = Certificate::new();
    let mut server = certificate.start(&database);
    assert!(server.base.starts_with("https://"), "{}", server.base);
    assert!(!is_answered(&client(), &server).await, "a client takes a certificate that it does not know");
    server.api.client = client_that_trusts(&certificate.pem);
    assert_eq!(server.api.get("/api/v1/components").await.0, StatusCode::OK);
    let livez = server.api.client.get(format!("{}/livez", server.base)).send().await.unwrap();
    assert_eq!(livez.headers()["strict-transport-security"], "max-age=31536000");

    // Who does not speak TLS is not answered, and neither that nor silence delays a stop.
    let address = server.base.strip_prefix("https://").unwrap();
    let mut plain = TcpStream::connect(address).unwrap();
    plain.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    // An end or a reset.
    drop(plain.read_to_end(&mut answer));
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/"), "{answer:?}");
    let silent = TcpStream::connect(address).unwrap();
    let begin = Instant::now();
    server.stop();
    assert!(begin.elapsed().as_secs() < 10, "the stop took {:?}", begin.elapsed());
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_connections_get_a_new_certificate_and_open_ones_go_on() {
    let database = TestDatabase::sqlite();
    let mut certificate = Certificate::new();
    let server = certificate.start(&database);
    // It has one connection, which it keeps.
    let old = client_that_trusts(&certificate.pem);
    assert!(is_answered(&old, &server).await);

    // Without a signal, the files are looked at every few seconds.
    let before = certificate.pem.clone();
    certificate.replace();
    until_trusted(&certificate, &server).await;
    assert!(is_answered(&old, &server).await, "the open connection did not go on");
    assert!(!is_answered(&client_that_trusts(&before), &server).await, "the old certificate is still shown");

    // A signal has it done at once, whatever the time.
    certificate.replace();
    server.signal("HUP");
    until_trusted(&certificate, &server).await;
    assert!(is_answered(&old, &server).await, "the open connection did not go on");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_that_cannot_be_used_changes_nothing() {
    let database = TestDatabase::sqlite();
    let mut certificate = Certificate::new();
    let server = certificate.start(&database);
    let trusting = certificate.pem.clone();
    let (_, foreign_key) = pair();
    for (bad, complaint) in [("", "holds no private key"), (&*foreign_key, "cannot be used")] {
        fs::write(&certificate.files[1], bad).unwrap();
        server.signal("HUP");
        let deadline = Instant::now() + PATIENCE;
        while !server.log().contains(complaint) {
            assert!(Instant::now() < deadline, "{}", server.log());
            tokio::task::yield_now().await;
        }
        assert!(is_answered(&client_that_trusts(&trusting), &server).await);
    }
    certificate.replace();
    server.signal("HUP");
    until_trusted(&certificate, &server).await;
    server.stop();
}

#[test]
fn what_tls_lacks_stops_the_start() {
    let database = TestDatabase::sqlite();
    let certificate = Certificate::new();
    let [cert, key] = certificate.variables();
    for (given, missing) in [(cert, key), (key, cert)] {
        let complaint = run_with(&database, &["serve"], &[given], b"").failed(2);
        let sentence = format!("error: {} is set without {}, and TLS needs both\n", given.0, missing.0);
        assert_eq!(complaint, sentence);
    }
    let nowhere = ("INVENTORY_TLS_CERT", "/no/such/file");
    let complaint = run_with(&database, &["serve"], &[nowhere, key], b"").failed(1);
    assert!(complaint.contains("cannot read /no/such/file, which INVENTORY_TLS_CERT names"), "{complaint}");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    assert!(!database.file().exists(), "a misconfigured start touched the database");
}
