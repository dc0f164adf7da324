//! The stream of events.

use axum::{
    body::{Body, BodyDataStream},
    http::{HeaderMap, Method},
};
use futures::StreamExt;
use inventory_api::Options;
use inventory_core::{Actor, Seq};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::{
    database::TestDatabase,
    service::{COMPONENTS, PATIENCE, SECRET, Service, over_tcp},
};

const EVENTS: &str = "/api/v1/events";

/// One client of the stream.
struct Client {
    headers: HeaderMap,
    body: BodyDataStream,
    text: String,
}

/// One frame: its fields.
#[derive(Debug, Default, PartialEq)]
struct Frame {
    id: Option<String>,
    event: Option<String>,
    data: Option<String>,
    retry: Option<String>,
    comment: Option<String>,
}

impl Client {
    async fn connect(service: &Service, query: &str, last: Option<&str>) -> Self {
        let mut request = Service::request(Method::GET, &format!("{EVENTS}{query}"))
            .header("accept-encoding", "gzip")
            .header("host", "test");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = service.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        let (parts, body) = response.into_parts();
        Self { headers: parts.headers, body: body.into_data_stream(), text: String::new() }
    }

    /// The next frame; `None` at the end of the stream.
    async fn frame(&mut self) -> Option<Frame> {
        while !self.text.contains("\n\n") {
            let chunk = tokio::time::timeout(PATIENCE, self.body.next()).await.expect("no frame came")?;
            self.text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        }
        let rest = self.text.split_off(self.text.find("\n\n").unwrap() + 2);
        Some(Frame::parse(std::mem::replace(&mut self.text, rest).trim_end()))
    }

    /// The next event, as its id and its CloudEvent.
    async fn event(&mut self) -> (String, Value) {
        let frame = self.frame().await.expect("the stream ended");
        let data: Value = serde_json::from_str(frame.data.as_deref().expect("a frame without data")).unwrap();
        assert_eq!(format!("io.inventory.{}", frame.event.unwrap()), data["type"].as_str().unwrap());
        (frame.id.unwrap(), data)
    }
}

impl Frame {
    fn parse(text: &str) -> Self {
        let mut frame = Self::default();
        for line in text.lines() {
            let (name, value) = line.split_once(':').unwrap();
            let field = match name {
                "id" => &mut frame.id,
                "event" => &mut frame.event,
                "data" => &mut frame.data,
                "retry" => &mut frame.retry,
                "" => &mut frame.comment,
                other => panic!("unknown field {other}"),
            };
            assert_eq!(field.replace(value.trim_start().to_owned()), None, "{text}");
        }
        frame
    }
}

fn sequence(event: &Value) -> u64 {
    event["sequence"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_stream_goes_from_the_log_to_the_bus_without_a_seam() {
    for database in TestDatabase::each() {
        let service = Service::on(database).await;
        let (path, _) = service.created(json!({"name": "a"})).await;
        let mut client = Client::connect(&service, "?after=0", None).await;
        assert_eq!(client.headers["content-type"], "text/event-stream");
        assert!(!client.headers.contains_key("content-encoding"));
        let first = client.frame().await.unwrap();
        let epoch = service.store.epoch();
        let expected =
            Frame { id: Some(format!("{epoch}-0")), retry: Some("2000".to_owned()), ..Frame::default() };
        assert_eq!(first, expected);
        let mut types = Vec::new();
        for seq in 1..=2 {
            let (id, event) = client.event().await;
            assert_eq!((id, sequence(&event)), (format!("{epoch}-{seq}"), seq));
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
    for seq in 4..=7 {
        assert_eq!(sequence(&client.event().await.1), seq);
    }
    // Without a position: from now on.
    let mut now = Client::connect(&service, "", None).await;
    assert_eq!(now.frame().await.unwrap().id.unwrap(), format!("{}-7", service.store.epoch()));
    service.created(json!({"name": "later"})).await;
    assert_eq!(sequence(&now.event().await.1), 8);
}

#[tokio::test]
async fn a_position_of_another_log_is_told_in_the_stream() {
    let service = Service::sqlite().await;
    service.created(json!({"name": "a"})).await;
    let epoch = service.store.epoch();
    for (unknown, head) in [("0123abcd-1".to_owned(), 2), (format!("{epoch}-99"), 3)] {
        service.store.bus().published(Seq(head)).await;
        let mut client = Client::connect(&service, "", Some(&unknown)).await;
        let id = format!("{epoch}-{head}");
        assert_eq!(client.frame().await.unwrap().id.as_ref(), Some(&id));
        let reset = client.frame().await.unwrap();
        assert_eq!((reset.event.as_deref(), reset.id), (Some("reset"), Some(id)));
        service.created(json!({"name": "b"})).await;
        assert_eq!(sequence(&client.event().await.1), head + 1);
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
    assert_eq!(ping, Frame { comment: Some("ping".to_owned()), ..Frame::default() });
    // What was passed over is not asked for again by a client that connects anew.
    service.created(json!({"name": "a"})).await;
    service.store.bus().published(Seq(2)).await;
    tokio::time::pause();
    let ping = client.frame().await.unwrap();
    let id = format!("{}-2", service.store.epoch());
    assert_eq!(ping, Frame { id: Some(id), ..Frame::default() });
}

#[tokio::test]
async fn there_is_room_for_so_many_streams() {
    let options = Options { max_event_streams: 2, ..Options::default() };
    let service = Service::with(TestDatabase::sqlite(), options).await;
    let first = Client::connect(&service, "", None).await;
    let _second = Client::connect(&service, "", None).await;
    service.get(EVENTS).await.problem(503, "too-many-streams");
    drop(first);
    let _third = Client::connect(&service, "", None).await;
}

#[tokio::test]
async fn a_revoked_token_ends_its_streams() {
    let service = Service::sqlite().await;
    let mut client = Client::connect(&service, "?types=component.created", None).await;
    client.frame().await.unwrap();
    service
        .store
        .revoke_token(inventory_store::TokenKey::Name("tests".to_owned()), Actor::system())
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
