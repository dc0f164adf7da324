//! The stream of events.

use std::time::Duration;

use axum::{
    body::{Body, BodyDataStream, Bytes, to_bytes},
    http::{HeaderMap, Method, Request},
};
use futures::StreamExt;
use inventory::Options;
use inventory_core::{Actor, Scope, Seq};
use inventory_store::NewToken;
use inventory_testing::{Frame, Frames};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::{
    database::TestDatabase,
    operator,
    service::{COMPONENTS, PATIENCE, SECRET, Service, over_tcp},
};

const EVENTS: &str = "/api/v1/events";

/// One client of the stream.
struct Client {
    headers: HeaderMap,
    body: BodyDataStream,
    frames: Frames,
}

impl Client {
    async fn connect(service: &Service, query: &str, last: Option<&str>) -> Self {
        Self::connect_as(service, SECRET, query, last).await
    }

    async fn connect_as(service: &Service, secret: &str, query: &str, last: Option<&str>) -> Self {
        let mut request = Request::get(format!("{EVENTS}{query}"))
            .header("authorization", format!("Bearer {secret}"))
            .header("accept-encoding", "gzip")
            .header("host", "test");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = service.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        let (parts, body) = response.into_parts();
        Self { headers: parts.headers, body: body.into_data_stream(), frames: Frames::default() }
    }

    /// The next frame; `None` at the end of the stream.
    async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.frames.next() {
                return Some(frame);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.body.next()).await.expect("no frame came")?;
            self.frames.push(&chunk.unwrap());
        }
    }

    /// What the service sends next, in one piece.
    async fn chunk(&mut self) -> Bytes {
        tokio::time::timeout(PATIENCE, self.body.next()).await.expect("nothing came").unwrap().unwrap()
    }

    /// The next event, as its id and its CloudEvent.
    async fn event(&mut self) -> (String, Value) {
        let frame = self.frame().await.expect("the stream ended");
        let data: Value = serde_json::from_str(frame.data.as_deref().expect("a frame without data")).unwrap();
        assert_eq!(format!("io.inventory.{}", frame.event.unwrap()), data["type"].as_str().unwrap());
        (frame.id.unwrap(), data)
    }
}

fn sequence(event: &Value) -> u64 {
    event["sequence"].as_str().unwrap().parse().unwrap()
}

/// The position after an event.
fn position(epoch: &str, event: &Value) -> String {
    let id = event["id"].as_str().unwrap();
    format!("{epoch}-{}-{}", sequence(event), &id[id.len() - 8..])
}

/// The problem with which a stream is refused.
async fn refusal(service: &Service, secret: &str) -> Value {
    let request = Request::get(EVENTS).header("authorization", format!("Bearer {secret}"));
    let request = request.header("host", "test");
    let response = service.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 503, "the stream was not refused");
    assert!(response.headers().contains_key("retry-after"));
    let problem: Value =
        serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap();
    assert_eq!(problem["type"], "/problems/too-many-streams");
    problem
}

#[tokio::test]
async fn a_stream_goes_from_the_log_to_the_bus_without_a_seam() {
    for database in TestDatabase::each() {
        let service = Service::on(database).await;
        let (path, _) = service.created(json!({"name": "a"})).await;
        let mut client = Client::connect(&service, "?after=0", None).await;
        assert_eq!(client.headers["content-type"], "text/event-stream");
        assert_eq!(client.headers["cache-control"], "no-cache");
        // Without this nginx collects the stream in a buffer.
        assert_eq!(client.headers["x-accel-buffering"], "no");
        assert!(!client.headers.contains_key("content-encoding"));
        let first = client.frame().await.unwrap();
        let epoch = service.store.epoch();
        let expected =
            Frame { id: Some(format!("{epoch}-0")), retry: Some("2000".to_owned()), ..Frame::default() };
        assert_eq!(first, expected);
        let mut types = Vec::new();
        for seq in 1..=2 {
            let (id, event) = client.event().await;
            assert_eq!((id, sequence(&event)), (position(epoch, &event), seq));
            types.push(event["type"].as_str().unwrap().to_owned());
        }
        service.patch(&path, "*", &json!({"name": "b"})).await;
        service.delete(&path, "*").await;
        for seq in 3..=4 {
            let (_, event) = client.event().await;
            assert_eq!(sequence(&event), seq);
            types.push(event["type"].as_str().unwrap().to_owned());
        }
        assert_eq!(
            types,
            ["token.created", "component.created", "component.updated", "component.deleted"]
                .map(|name| format!("io.inventory.{name}"))
        );
        drop(client);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_client_goes_on_where_it_left_off() {
    let service = Service::sqlite().await;
    for n in 0..5 {
        service.created(json!({"name": format!("n{n}")})).await;
    }
    let mut client = Client::connect(&service, "?after=0", None).await;
    client.frame().await.unwrap();
    let (mut last, _) = client.event().await;
    for _ in 0..2 {
        last = client.event().await.0;
    }
    drop(client);
    service.created(json!({"name": "meanwhile"})).await;
    // A browser repeats the query that it began with, and adds the header, which is newer.
    let mut client = Client::connect(&service, "?after=0", Some(&last)).await;
    assert_eq!(client.frame().await.unwrap().id, Some(last));
    let mut newest = String::new();
    for seq in 4..=7 {
        let (position, event) = client.event().await;
        assert_eq!(sequence(&event), seq);
        newest = position;
    }
    // Without a position: from now on.
    let mut now = Client::connect(&service, "", None).await;
    let seven = now.frame().await.unwrap().id.unwrap();
    assert_eq!(seven, newest);
    service.created(json!({"name": "later"})).await;
    assert_eq!(sequence(&now.event().await.1), 8);
}

#[tokio::test]
async fn a_position_of_another_log_is_told_in_the_stream() {
    let service = Service::sqlite().await;
    service.created(json!({"name": "a"})).await;
    let epoch = service.store.epoch();
    let mut all = Client::connect(&service, "?after=0", None).await;
    all.frame().await.unwrap();
    let (first, _) = all.event().await;
    let suffix = &first[first.len() - 8..];
    let unknown = [
        // Another log.
        format!("0123abcd-1-{suffix}"),
        "0123abcd-0".to_owned(),
        // An event that does not exist yet.
        format!("{epoch}-99-{suffix}"),
        // Another event at this place.
        format!("{epoch}-2-{suffix}"),
        format!("{epoch}-0-{suffix}"),
        // The form without the end of the event's id, which does not tell one event from another.
        format!("{epoch}-1"),
    ];
    for unknown in unknown {
        let (id, newest) = all.event().await;
        let mut client = Client::connect(&service, "", Some(&unknown)).await;
        assert_eq!(client.frame().await.unwrap().id.as_ref(), Some(&id), "{unknown}");
        let reset = client.frame().await.unwrap();
        assert_eq!((reset.event.as_deref(), reset.id), (Some("reset"), Some(id)), "{unknown}");
        service.created(json!({"name": "b"})).await;
        assert_eq!(sequence(&client.event().await.1), sequence(&newest) + 1);
    }
    for known in [first, format!("{epoch}-0"), "0".to_owned()] {
        let mut client = Client::connect(&service, "", Some(&known)).await;
        client.frame().await.unwrap();
        assert_ne!(client.frame().await.unwrap().event.as_deref(), Some("reset"), "{known}");
    }
}

#[tokio::test]
async fn a_restored_backup_is_told_to_clients_that_have_read_further() {
    for database in TestDatabase::each() {
        let service = Service::on(database).await;
        for n in 2..=4 {
            service.created(json!({"name": format!("n{n}")})).await;
        }
        let database = service.close().await;
        operator::save(&database);
        let service = Service::on(database).await;
        for n in 5..=7 {
            service.created(json!({"name": format!("n{n}")})).await;
        }
        let mut client = Client::connect(&service, "?after=0&follow=false", None).await;
        let mut read = Vec::new();
        while let Some(frame) = client.frame().await {
            read.push(frame.id.unwrap());
        }
        assert_eq!(read.len(), 8, "{read:?}");
        let database = service.close().await;
        operator::restore(&database);
        let service = Service::on(database).await;
        for n in 5..=9 {
            service.created(json!({"name": format!("m{n}")})).await;
        }
        service.store.bus().published(Seq(9)).await;
        // Seven is another event now, and the client has not seen it.
        let mut client = Client::connect(&service, "", Some(&read[7])).await;
        let first = client.frame().await.unwrap();
        let reset = client.frame().await.unwrap();
        assert_eq!((reset.event.as_deref(), &reset.id), (Some("reset"), &first.id));
        assert!(first.id.unwrap().starts_with(&format!("{}-9-", service.store.epoch())));
        // A client that has read as far as the backup goes on.
        let mut client = Client::connect(&service, "", Some(&read[4])).await;
        assert_eq!(client.frame().await.unwrap().id.as_ref(), Some(&read[4]));
        for seq in 5..=9 {
            assert_eq!(sequence(&client.event().await.1), seq);
        }
        drop(client);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn only_the_types_that_were_asked_for_are_sent() {
    let service = Service::sqlite().await;
    let (path, _) = service.created(json!({"name": "a"})).await;
    service.patch(&path, "*", &json!({"name": "b"})).await;
    service.delete(&path, "*").await;
    let query = "?after=0&types=component.deleted,token.created&follow=false";
    let mut client = Client::connect(&service, query, None).await;
    client.frame().await.unwrap();
    let mut seen = Vec::new();
    while let Some(frame) = client.frame().await {
        seen.push(frame.event.unwrap());
    }
    assert_eq!(seen, ["token.created", "component.deleted"]);
    let problem =
        service.get(&format!("{EVENTS}?types=component.exploded")).await.problem(400, "invalid-parameter");
    assert_eq!(problem["errors"][0]["parameter"], "types");
    for (query, parameter) in
        [("after=7", "after"), ("after=", "after"), ("follow=maybe", "follow"), ("x=1", "x")]
    {
        let problem = service.get(&format!("{EVENTS}?{query}")).await.problem(400, "invalid-parameter");
        assert_eq!(problem["errors"][0]["parameter"], parameter);
    }
    let request = Service::request(Method::GET, EVENTS).header("last-event-id", "x").body(Body::empty());
    service.send(request.unwrap()).await.problem(400, "invalid-header");
}

#[tokio::test]
async fn a_silent_stream_says_that_it_lives() {
    let service = Service::sqlite().await;
    let mut client = Client::connect(&service, "?types=component.deleted", None).await;
    client.frame().await.unwrap();
    // Only while nothing is asked of the database, whose answers take no time that this clock knows.
    tokio::time::pause();
    let ping = client.frame().await.unwrap();
    tokio::time::resume();
    // The clock that stood still ran into the deadline of the log's poll.
    while service.get("/readyz").await.status != 200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(ping, Frame { comment: Some("ping".to_owned()), ..Frame::default() });
    // A client that reconnects does not request again the events that were filtered out.
    service.created(json!({"name": "a"})).await;
    service.store.bus().published(Seq(2)).await;
    tokio::time::pause();
    let ping = client.frame().await.unwrap();
    tokio::time::resume();
    while service.get("/readyz").await.status != 200 {
        tokio::task::yield_now().await;
    }
    let mut all = Client::connect(&service, "?after=0", None).await;
    all.frame().await.unwrap();
    all.event().await;
    let (id, _) = all.event().await;
    assert_eq!(ping, Frame { id: Some(id), ..Frame::default() });
}

/// A token that may read, and its secret.
async fn reader(service: &Service, name: &str) -> String {
    let (_, secret) =
        service.store.tokens().create(NewToken::new(name, [Scope::Read]), Actor::system()).await.unwrap();
    secret
}

#[tokio::test]
async fn a_token_has_a_share_of_the_streams_and_leaves_the_rest_to_others() {
    let options = Options { max_event_streams: 8, ..Options::default() };
    let service = Service::with(TestDatabase::sqlite(), options).await;
    let greedy = reader(&service, "greedy").await;
    let first = Client::connect_as(&service, &greedy, "", None).await;
    let _second = Client::connect_as(&service, &greedy, "", None).await;
    let problem = refusal(&service, &greedy).await;
    assert!(
        problem["detail"].as_str().unwrap().contains("2 event streams are open with this token"),
        "{problem}"
    );
    let mut others = Vec::new();
    for name in ["a", "b", "c"] {
        let other = reader(&service, name).await;
        for _ in 0..2 {
            others.push(Client::connect_as(&service, &other, "", None).await);
        }
    }
    // Now they are as many as the service allows.
    let late = reader(&service, "late").await;
    let problem = refusal(&service, &late).await;
    assert!(problem["detail"].as_str().unwrap().contains("8 event streams are open"), "{problem}");
    // One that ends makes room for its token and for others.
    drop(first);
    let third = Client::connect_as(&service, &greedy, "", None).await;
    drop(third);
    let _last = Client::connect_as(&service, &late, "", None).await;
}

#[tokio::test]
async fn an_event_is_serialised_once_for_all_streams() {
    let service = Service::sqlite().await;
    service.created(json!({"name": "a"})).await;
    let mut live = Client::connect(&service, "", None).await;
    let mut other = Client::connect(&service, "", None).await;
    live.frame().await.unwrap();
    other.frame().await.unwrap();
    service.created(json!({"name": "b"})).await;
    let chunk = live.chunk().await;
    assert!(chunk.starts_with(b"event: component.created\n"), "{chunk:?}");
    assert_eq!(chunk.as_ptr(), other.chunk().await.as_ptr(), "two live streams");
    let mut replay = Client::connect(&service, "?after=0", None).await;
    for _ in 0..3 {
        replay.chunk().await;
    }
    assert_eq!(chunk.as_ptr(), replay.chunk().await.as_ptr(), "one that reads the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn replays_that_wait_for_the_log_leave_the_other_reads_alone() {
    // Only PostgreSQL can keep readers of one table waiting.
    let Some(database) = TestDatabase::postgres() else { return };
    let service = Service::on(database).await;
    let (path, _) = service.created(json!({"name": "a"})).await;
    service.store.bus().published(Seq(2)).await;
    let lock = operator::lock(&service.database, "event_log");
    let mut replays = Vec::new();
    for _ in 0..16 {
        let mut replay = Client::connect(&service, "?after=0", None).await;
        replay.frame().await.unwrap();
        replays.push(tokio::spawn(async move {
            let mut seen = Vec::new();
            for _ in 0..2 {
                seen.push(replay.frame().await.unwrap().event.unwrap());
            }
            seen
        }));
    }
    // They all wait, or are about to.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    for _ in 0..3 {
        // This takes a connection of the pool.
        assert_eq!(service.store.tokens().list().await.unwrap().len(), 1);
        assert_eq!(service.get(&path).await.status, 200);
        assert_eq!(service.get(COMPONENTS).await.status, 200);
    }
    assert!(replays.iter().all(|replay| !replay.is_finished()), "the log was not locked");
    drop(lock);
    for replay in replays {
        assert_eq!(replay.await.unwrap(), ["token.created", "component.created"]);
    }
    service.assert_sound().await;
}

#[tokio::test]
async fn a_client_that_stops_reading_keeps_nobody_else_from_the_log() {
    for database in TestDatabase::each() {
        let service = Service::on(database).await;
        service.created(json!({"name": "a"})).await;
        let mut stalled = Vec::new();
        for _ in 0..8 {
            let mut client = Client::connect(&service, "?after=0", None).await;
            client.frame().await.unwrap();
            // It begins to read the log, and then its connection takes no more.
            let _nothing_yet = tokio::time::timeout(Duration::ZERO, client.body.next()).await;
            stalled.push(client);
        }
        let mut client = Client::connect(&service, "?after=0", None).await;
        client.frame().await.unwrap();
        assert_eq!(sequence(&client.event().await.1), 1);
        assert_eq!(sequence(&client.event().await.1), 2);
        drop(stalled);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn a_revoked_token_ends_its_streams() {
    let service = Service::sqlite().await;
    let mut client = Client::connect(&service, "?types=component.created", None).await;
    client.frame().await.unwrap();
    service
        .store
        .tokens()
        .revoke(inventory_store::TokenKey::Name("tests".to_owned()), Actor::system())
        .await
        .unwrap();
    assert_eq!(client.frame().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn shutdown_does_not_wait_for_streams() {
    let service = Service::sqlite().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = axum::serve(listener, service.router.clone()).with_graceful_shutdown(async {
        stopped.await.ok();
    });
    let server = tokio::spawn(async { server.await });
    let request = format!("GET {EVENTS} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {SECRET}\r\n\r\n");
    let streams: Vec<_> = (0..3)
        .map(|_| {
            tokio::spawn({
                let request = request.clone();
                async move { over_tcp(address, request.as_bytes()).await }
            })
        })
        .collect();
    // They have begun.
    while !service.get("/metrics").await.text().contains("\ninventory_event_streams 3\n") {
        tokio::task::yield_now().await;
    }
    service.app.stop_streams();
    stop.send(()).unwrap();
    tokio::time::timeout(PATIENCE, server).await.expect("shutdown hangs").unwrap().unwrap();
    for stream in streams {
        assert!(stream.await.unwrap().starts_with("HTTP/1.1 200"));
    }
    // And none begins any more.
    let mut late = Client::connect(&service, "", None).await;
    assert_eq!(late.frame().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_events_arrive_at_many_clients_once_and_in_order() {
    const EVENTS_EACH: u64 = 3000;
    let service = Service::sqlite().await;
    let clients =
        futures::future::join_all((0..8).map(|_| Client::connect(&service, "?after=0", None))).await;
    let write = async {
        for _ in 0..3 {
            let one = json!({"op": "create", "component": {"name": "a"}});
            let batch = json!({"operations": vec![one; 1000]});
            assert_eq!(service.post(&format!("{COMPONENTS}/batch"), &batch).await.status, 200);
        }
    };
    let mut idle = Client::connect(&service, "?after=0", None).await;
    let reads = clients.into_iter().map(|mut client| async move {
        client.frame().await.unwrap();
        for seq in 1..=EVENTS_EACH + 1 {
            assert_eq!(sequence(&client.event().await.1), seq);
        }
    });
    tokio::join!(write, futures::future::join_all(reads));
    // One that read nothing all the while held nobody up, and has missed nothing.
    idle.frame().await.unwrap();
    for seq in 1..=EVENTS_EACH + 1 {
        assert_eq!(sequence(&idle.event().await.1), seq);
    }
}
