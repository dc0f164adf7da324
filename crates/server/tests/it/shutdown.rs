//! Stopping under load: nothing that was answered is lost, and nothing is half done.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    command::run,
    database::TestDatabase,
    server::{PATIENCE, Server, TOKEN, client, client_that_follows_nothing},
};

/// Creates components until the server stops answering; how many were answered with 201.
async fn create_until_refused(server: &Server, client: usize) -> u64 {
    let mut created = 0;
    for number in 0.. {
        let component = json!({"name": "a", "sku": format!("{client}/{number}")});
        let request = server.api.request(Method::POST, "/api/v1/components").json(&component);
        match request.send().await {
            Ok(response) if response.status() == StatusCode::CREATED => created += 1,
            // The writer takes no more; the connection closes next.
            Ok(response) => assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE),
            Err(_) => break,
        }
    }
    created
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_under_load_loses_nothing() {
    const CLIENTS: usize = 8;
    const BEFORE_THE_STOP: usize = 100;
    for database in TestDatabase::each() {
        let mut server = Server::start(&database);
        let created: u64 = {
            let server = &server;
            let clients = futures_of((0..CLIENTS).map(|client| create_until_refused(server, client)));
            let stop = async {
                server.api.events("types=component.created", BEFORE_THE_STOP).await;
                server.signal("TERM");
                0
            };
            let (counts, _) = tokio::join!(clients, stop);
            counts.into_iter().sum()
        };
        let status = server.wait();
        assert!(status.success(), "{status}\n{}", server.log());
        assert!(created >= BEFORE_THE_STOP as u64);
        let rows: u64 = database.shell("SELECT count(*) FROM component").parse().unwrap();
        // An answer may be lost on the way to a client that the connection was closed on, a write may not.
        assert!(rows >= created, "{created} were answered and {rows} are there");
        assert!(rows <= created + CLIENTS as u64, "{rows} are there and only {created} were answered");
        let report = run(&database, &["check"]).ok();
        assert!(report.contains(&format!("Checked {rows} components")), "{report}");
        assert_eq!(server.rest_of_stdout(), "");
    }
}

/// Polls all at once; the clients share one thread, which is enough to keep the server busy.
async fn futures_of<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut ready = true;
        for (future, output) in &mut futures {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *output = Some(value),
                    std::task::Poll::Pending => ready = false,
                }
            }
        }
        if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    futures.into_iter().map(|(_, output)| output.unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_stream_and_idle_connections_do_not_delay_a_stop() {
    let database = TestDatabase::sqlite();
    let mut server = Server::start(&database);
    let mut stream = server.api.request(Method::GET, "/api/v1/events").send().await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK);
    let address = server.base.strip_prefix("http://").unwrap();
    let silent = TcpStream::connect(address).unwrap();
    let mut kept = TcpStream::connect(address).unwrap();
    kept.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert!(kept.read(&mut [0; 4096]).unwrap() > 0);

    let begin = Instant::now();
    server.signal("INT");
    while stream.chunk().await.unwrap().is_some() {}
    assert!(server.wait().success(), "{}", server.log());
    // Far below the 25 seconds that are waited for requests that do not finish.
    assert!(begin.elapsed().as_secs() < 10, "the stop took {:?}", begin.elapsed());
    drop((silent, kept));
}

/// The password of the first user.
const PASSWORD: &str = "correct horse battery";
/// How many components [`full_server`] has.
const COMPONENTS: u32 = 3000;
const EXPORT: &str = "/admin/components/export?format=jsonl";

/// A server whose components are more bytes than fit the buffers of a connection, and the session of an admin.
async fn full_server(database: &TestDatabase) -> (Server, String) {
    let variables = [("INVENTORY_BOOTSTRAP_TOKEN", TOKEN), ("INVENTORY_ADMIN_PASSWORD", PASSWORD)];
    let server = Server::start_with(database, &variables);
    let create = json!({"op": "create", "component": {"name": "a", "notes": "n".repeat(4000)}});
    for _ in 0..COMPONENTS / 1000 {
        let batch = json!({"operations": vec![&create; 1000]});
        assert_eq!(server.api.post("/api/v1/components/batch", &batch).await.0, StatusCode::OK);
    }
    let sign_in = client_that_follows_nothing()
        .post(format!("{}/admin/sign-in", server.base))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("name=admin&password={}", PASSWORD.replace(' ', "+")));
    let answer = sign_in.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let cookies = answer.headers().get_all("set-cookie").iter();
    let cookies: Vec<_> = cookies.filter_map(|cookie| cookie.to_str().unwrap().split(';').next()).collect();
    let session = cookies.join("; ");
    (server, session)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_clients_that_stopped_reading() {
    let database = TestDatabase::sqlite();
    let (mut server, session) = full_server(&database).await;
    let mut stalled = Vec::new();
    for path in ["/api/v1/events?after=0", EXPORT, "/api/v1/components?limit=200"] {
        let mut client = TcpStream::connect(server.base.strip_prefix("http://").unwrap()).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nCookie: {session}\r\n\r\n"
        );
        client.write_all(request.as_bytes()).unwrap();
        let mut head = [0; 15];
        client.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK", "{path}");
        stalled.push(client);
    }
    // Until the buffers between are full: then the stream reads no more of the log.
    let name = "inventory_subscriber_events_read_from_log_total{subscriber=\"sse\"}";
    let mut read = 0.0;
    loop {
        let now = server.api.metric(name).await;
        assert!(now < f64::from(COMPONENTS), "the stream was sent");
        if now > 0.0 && (now - read).abs() < 0.5 {
            break;
        }
        read = now;
    }
    let begin = Instant::now();
    server.signal("TERM");
    let status = server.wait();
    let log = server.log();
    assert!(status.success(), "{status} after {:?}\n{log}", begin.elapsed());
    assert!(begin.elapsed() < Duration::from_secs(10), "the stop took {:?}\n{log}", begin.elapsed());
    assert!(!log.contains("shutdown timeout, aborting unfinished requests"), "{log}");
    drop(stalled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_breaks_off_an_export_visibly() {
    let database = TestDatabase::sqlite();
    let (mut server, session) = full_server(&database).await;
    let export = client().get(format!("{}{EXPORT}", server.base)).header("cookie", session);
    let mut export = export.send().await.unwrap();
    assert_eq!(export.status(), StatusCode::OK);
    assert!(export.chunk().await.unwrap().is_some());
    server.signal("TERM");
    let end = loop {
        match export.chunk().await {
            Ok(Some(_)) => {}
            end => break end,
        }
    };
    assert!(end.is_err(), "the file looks as if it were whole");
    let status = server.wait();
    assert!(status.success(), "{status}\n{}", server.log());
}

#[test]
fn a_request_that_never_ends_is_cut_off_at_the_deadline() {
    let database = TestDatabase::sqlite();
    let mut server = Server::start_with(
        &database,
        &[("INVENTORY_BOOTSTRAP_TOKEN", TOKEN), ("INVENTORY_SHUTDOWN_TIMEOUT_SECONDS", "1")],
    );
    let mut half = TcpStream::connect(server.base.strip_prefix("http://").unwrap()).unwrap();
    write!(
        half,
        "POST /api/v1/components HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n"
    )
    .unwrap();
    // The server asks for the body, so it has begun to answer the request.
    assert!(half.read(&mut [0; 64]).unwrap() > 0);
    let begin = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(1));
    assert!(begin.elapsed() < PATIENCE / 2);
    assert!(server.log().contains("shutdown timeout, aborting unfinished requests"), "{}", server.log());
    drop(half);
    run(&database, &["check"]).ok();
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let database = TestDatabase::sqlite();
    let mut server = Server::start(&database);
    let mut half = TcpStream::connect(server.base.strip_prefix("http://").unwrap()).unwrap();
    half.write_all(b"GET /livez HTTP/1.1\r\n").unwrap();
    server.signal("TERM");
    // Until the first signal has arrived, a second one would be merged with it.
    let deadline = Instant::now() + PATIENCE;
    while !server.log().contains("stopping") {
        assert!(Instant::now() < deadline, "{}", server.log());
        std::thread::yield_now();
    }
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(1));
    assert!(server.log().contains("second signal"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_drains_is_not_ready_and_still_serves() {
    let database = TestDatabase::sqlite();
    let variables = [("INVENTORY_BOOTSTRAP_TOKEN", TOKEN), ("INVENTORY_DRAIN_SECONDS", "3600")];
    let mut server = Server::start_with(&database, &variables);
    let ready = async || {
        // Each is a new connection.
        let answer = client().get(format!("{}/readyz", server.base)).send().await.unwrap();
        (answer.status() == StatusCode::OK, answer.text().await.unwrap())
    };
    assert!(ready().await.0);
    server.signal("TERM");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (ready, body) = ready().await;
        if !ready {
            assert!(body.contains("the service is stopping"), "{body}");
            break;
        }
        assert!(Instant::now() < deadline, "{}", server.log());
    }
    server.api.create(&json!({"name": "a"})).await;
    server.signal("TERM");
    assert!(server.wait().success(), "{}", server.log());
    assert!(server.log().contains("stopped"), "{}", server.log());
}

#[test]
fn a_drain_ends_by_itself() {
    let database = TestDatabase::sqlite();
    let variables = [("INVENTORY_BOOTSTRAP_TOKEN", TOKEN), ("INVENTORY_DRAIN_SECONDS", "1")];
    Server::start_with(&database, &variables).stop();
}
