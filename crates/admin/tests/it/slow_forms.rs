//! Browsers that send a byte now and then.

use std::{net::SocketAddr, time::Duration};

use axum::http::{Method, header};
use inventory::Options;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    database::TestDatabase,
    visitor::{PATIENCE, Site},
};

/// How long a form may take here, and how often a byte of it comes. At this pace none ends in time.
const BODY_TIMEOUT: Duration = Duration::from_millis(300);
const PACE: Duration = Duration::from_millis(5);
/// How long the forms say that they are, in bytes.
const LENGTH: usize = 100_000;

/// A form, and how it begins.
const FORM: (&str, &str) = ("application/x-www-form-urlencoded", "name=");
/// A file, and how it begins.
const FILE: (&str, &str) = (
    "multipart/form-data; boundary=x",
    "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"slow.csv\"\r\n\r\nsku,name\n",
);

/// Sends a head and then one byte after the other until the connection is closed, and returns what was answered.
async fn trickle(address: SocketAddr, path: &str, cookie: &str, (kind, begin): (&str, &str)) -> String {
    let connection = TcpStream::connect(address).await.unwrap();
    let (mut from, mut to) = connection.into_split();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nCookie: {cookie}\r\n\
         Content-Type: {kind}\r\nContent-Length: {LENGTH}\r\n\r\n{begin}"
    );
    to.write_all(head.as_bytes()).await.unwrap();
    let sender = tokio::spawn(async move {
        let mut pace = tokio::time::interval(PACE);
        while to.write_all(b"x").await.is_ok() {
            pace.tick().await;
        }
    });
    let mut answer = Vec::new();
    // A reset at the end is as good as an end: the browser was still sending.
    let read = tokio::time::timeout(PATIENCE, from.read_to_end(&mut answer)).await;
    drop(read.expect("the service waits for ever"));
    sender.abort();
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_trickles_is_given_up() {
    let options = Options { body_timeout: BODY_TIMEOUT, ..Options::default() };
    let site = Site::with(TestDatabase::sqlite(), options).await;
    let editor = site.editor().await;
    let request = editor.request(Method::GET, "/").body(()).unwrap();
    let cookie = request.headers()[header::COOKIE].to_str().unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = site.router.clone();
    let server = tokio::spawn(async { axum::serve(listener, router).await });
    for (path, cookie, form, status) in [
        ("/admin/sign-in", "", FORM, "400"),
        ("/admin/components/new", cookie.as_str(), FORM, "400"),
        ("/admin/import", cookie.as_str(), FILE, "400"),
        // Nobody is signed in: what came of the form is not kept, and they are led to the door.
        ("/admin/components/new", "", FORM, "303"),
        ("/admin/import", "", FILE, "303"),
    ] {
        let answer = trickle(address, path, cookie, form).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        let told = answer.contains("The upload was interrupted");
        assert_eq!(told, form == FILE && status == "400", "{path}: {answer}");
    }
    let kept = site.store.import_jobs().list(site.user("editor").await.id).await.unwrap();
    assert_eq!(kept, [], "an upload that broke off is kept");
    assert_eq!(site.count().await, 0);
    server.abort();
}
