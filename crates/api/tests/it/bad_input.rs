//! Whatever a client sends, the answer is a problem that says what is wrong, and never the service's fault.

use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    database::TestDatabase,
    service::{COMPONENTS, SECRET, Service, over_tcp},
};

const NOBODY: &str = "/api/v1/components/0190a6e3-7d3c-7f4e-8a51-0b6c2f1d9e34";
const JSON: &str = "application/json";
const TEN_MIB: usize = 10 * 1024 * 1024;

fn body(method: Method, path: &str, media_type: &str, body: impl Into<Body>) -> Request<Body> {
    Service::request(method, path)
        .header("content-type", media_type)
        .header("if-match", "*")
        .body(body.into())
        .unwrap()
}

#[tokio::test]
async fn bodies_that_are_not_json_are_refused_with_the_place() {
    let service = Service::sqlite().await;
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    let deep_field = format!("{{\"name\":\"a\",\"custom_fields\":{{\"a\":{deep}}}}}");
    for (bytes, place) in [
        (&b""[..], "line 1 column 0"),
        (b"{", "line 1 column 1"),
        (b"{\"name\":\"a\"}}", "line 1 column 13"),
        (b"{\"name\":\"\xc3\x28\"}", "byte 9"),
        (b"{\"name\":\"a\0b\"}", "line 1 column 11"),
        (b"\0", "line 1 column 1"),
        (b"\xef\xbb\xbf{}", "line 1 column 1"),
        (b"{\"name\":\"a\",\"name\":\"b\"}", "line 1 column 18"),
        (b"{\"name\":NaN}", "line 1 column 9"),
        (b"{\"name\":\"\\ud800\"}", "line 1 column"),
        (deep.as_bytes(), "line 1 column 128"),
        (deep_field.as_bytes(), "line 1 column"),
    ] {
        for (method, path) in
            [(Method::POST, COMPONENTS), (Method::POST, "/api/v1/components/batch"), (Method::PATCH, NOBODY)]
        {
            let answer = service.send(body(method, path, JSON, bytes.to_vec())).await;
            let problem = answer.problem(400, "malformed-body");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(place), "{detail:?} does not name {place:?}");
        }
    }
}

#[tokio::test]
async fn values_of_the_wrong_type_are_refused_with_a_pointer() {
    for database in TestDatabase::each() {
        let service = Service::on(database).await;
        let wrong = [json!(null), json!(true), json!(1), json!(-1.5), json!([]), json!({}), json!("\u{0}")];
        for field in [
            "name",
            "unit",
            "min_quantity",
            "unit_cost",
            "currency",
            "status",
            "tags",
            "custom_fields",
            "sku",
        ] {
            for value in &wrong {
                let mut component = json!({"name": "a"});
                component[field] = value.clone();
                let answer = service.post(COMPONENTS, &component).await;
                let fine = answer.status == 201;
                let may_be = value.is_null() && field != "name"
                    || field == "tags" && value == &json!([])
                    || field == "custom_fields" && value == &json!({});
                assert_eq!(fine, may_be, "{component} {answer:?}");
                if !fine {
                    let problem = answer.problem(422, "invalid-body");
                    assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"), "{component}");
                }
            }
        }
        for whole in wrong.iter().filter(|value| !value.is_object()) {
            let problem = service.post(COMPONENTS, whole).await.problem(422, "invalid-body");
            assert_eq!(problem["errors"][0]["pointer"], "", "{whole}");
        }
        for (field, value) in [
            ("name", json!("x".repeat(201))),
            ("notes", json!("\u{0}")),
            ("description", json!("a\u{7}")),
            ("tags", json!(vec!["t"; 33])),
            ("tags", json!(["a,b"])),
            ("min_quantity", json!("-1")),
            ("min_quantity", json!("1e3")),
            ("unit_cost", json!("1000000000000")),
            ("datasheet_url", json!("javascript:alert(1)")),
            ("custom_fields", json!({"A": 1})),
            ("custom_fields", json!({"a": {"b": 1}})),
            ("created_at", json!("2026-01-01T00:00:00Z")),
            ("id", json!("0190a6e3-7d3c-7f4e-8a51-0b6c2f1d9e34")),
            ("version", json!(1)),
            ("a~/b\u{0}", json!(1)),
        ] {
            let mut component = json!({"name": "a"});
            component[field] = value;
            service.post(COMPONENTS, &component).await.problem(422, "invalid-body");
        }
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn media_types_that_are_not_json_are_refused() {
    let service = Service::sqlite().await;
    for wrong in [
        "",
        "text/plain",
        "application/xml",
        "application/json; charset=latin1",
        "application/merge-patch+json",
        "json",
    ] {
        let request = body(Method::POST, COMPONENTS, wrong, json!({"name": "a"}).to_string());
        service.send(request).await.problem(415, "unsupported-media-type");
    }
    let none = Service::request(Method::POST, COMPONENTS).body(Body::from("{\"name\":\"a\"}")).unwrap();
    service.send(none).await.problem(415, "unsupported-media-type");
    let request = body(Method::POST, COMPONENTS, "Application/JSON;charset=\"UTF-8\"", "{\"name\":\"a\"}");
    assert_eq!(service.send(request).await.status, 201);
}

#[tokio::test]
async fn parameters_that_are_wrong_are_named() {
    for database in TestDatabase::each() {
        let service = Service::on(database).await;
        let long = "x".repeat(2001);
        let many = vec!["a"; 201].join(",");
        for (query, parameter) in [
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("limit=99999999999999999999", "limit"),
            ("limit=-1", "limit"),
            ("limit=ten", "limit"),
            ("limit=", "limit"),
            ("limit=1&limit=2", "limit"),
            ("q=a%00b", "q"),
            (&format!("q={}", "a".repeat(201)), "q"),
            ("sort=notes", "sort"),
            ("sort=--name", "sort"),
            ("sort=", "sort"),
            ("fields=", "fields"),
            ("colour=red", "colour"),
            ("name__like=a", "name__like"),
            ("name__isnull=true", "name__isnull"),
            ("sku__isnull=yes", "sku__isnull"),
            ("unit_cost=cheap", "unit_cost"),
            ("unit_cost__gte=NaN", "unit_cost__gte"),
            ("created_at__gte=yesterday", "created_at__gte"),
            ("version=1.5", "version"),
            ("version=9223372036854775808", "version"),
            ("id=7", "id"),
            ("id__in=", "id__in"),
            ("name=%00", "name"),
            ("name=%ff", "%ff"),
            (&format!("name={long}"), "name"),
            (&format!("name__contains={long}"), "name__contains"),
            (&format!("name__in=a,{long}"), "name__in"),
            (&format!("name__in={many}"), "name__in"),
            ("access_token=x", "access_token"),
            ("__in=x", "__in"),
            ("=x", ""),
            ("%00=x", "\0"),
        ] {
            let answer = service.get(&format!("{COMPONENTS}?{query}")).await;
            let problem = answer.problem(400, "invalid-parameter");
            assert_eq!(problem["errors"][0]["parameter"], parameter, "{query}");
        }
        let unknown = service.get(&format!("{COMPONENTS}?colour=red")).await.json();
        assert!(unknown["detail"].as_str().unwrap().contains("name__contains"), "{unknown}");
        // What is long but not too long is only a condition that nothing meets.
        let percent = "%25".repeat(2000);
        let page =
            service.get(&format!("{COMPONENTS}?notes__contains={percent}&name__in={}", &many[2..])).await;
        assert_eq!(page.json()["total"], 0);
        service.assert_sound().await;
    }
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist_are_problems() {
    let service = Service::sqlite().await;
    for path in
        ["/", "/api", "/api/v1", "/api/v2/components", "/api/v1/components/batch/x", "/api/docs/nothing"]
    {
        service.get(path).await.problem(404, "not-found");
    }
    for id in
        ["7", "0190a6e37d3c7f4e8a510b6c2f1d9e34", "%7B0190a6e3-7d3c-7f4e-8a51-0b6c2f1d9e34%7D", "%00", "%ff"]
    {
        let problem = service.get(&format!("{COMPONENTS}/{id}")).await.problem(400, "invalid-parameter");
        assert_eq!(problem["errors"][0]["parameter"], "id");
    }
    for (method, path, allow) in [
        (Method::PUT, COMPONENTS, "GET,HEAD,POST"),
        (Method::POST, NOBODY, "GET,HEAD,PATCH,DELETE"),
        (Method::DELETE, "/api/v1/events", "GET,HEAD"),
        (Method::POST, "/livez", "GET,HEAD"),
        (Method::POST, "/openapi.json", "GET,HEAD"),
        (Method::POST, "/metrics/", "GET,HEAD"),
        (Method::from_bytes(b"BREW").unwrap(), COMPONENTS, "GET,HEAD,POST"),
    ] {
        let request = Service::request(method.clone(), path).body(Body::empty()).unwrap();
        let answer = service.send(request).await;
        answer.problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
    // Except where it has a body, a change takes no parameters.
    service.delete(&format!("{NOBODY}?force=true"), "*").await.problem(400, "invalid-parameter");
    service.get(&format!("{NOBODY}?limit=1")).await.problem(400, "invalid-parameter");
    service.get(NOBODY).await.problem(404, "component-not-found");
    service.patch(NOBODY, "*", &json!({})).await.problem(404, "component-not-found");
}

#[tokio::test]
async fn bodies_that_are_too_long_are_refused() {
    let service = Service::sqlite().await;
    let long = |bytes: usize| {
        let mut text = json!({"name": "a", "notes": ""}).to_string();
        text.push_str(&" ".repeat(bytes - text.len()));
        text
    };
    let at_limit = service.send(body(Method::POST, COMPONENTS, JSON, long(1024 * 1024))).await;
    assert_eq!(at_limit.status, 201);
    for request in [
        body(Method::POST, COMPONENTS, JSON, long(1024 * 1024 + 1)),
        body(Method::PATCH, NOBODY, JSON, long(10 * 1024 * 1024)),
        body(Method::POST, "/api/v1/components/batch", JSON, long(32 * 1024 * 1024 + 1)),
        // Without a length: in pieces.
        body(
            Method::POST,
            COMPONENTS,
            JSON,
            Body::from_stream(futures::stream::iter(std::iter::repeat_n(
                Ok::<_, std::convert::Infallible>(vec![b' '; 65536]),
                200,
            ))),
        ),
    ] {
        service.send(request).await.problem(413, "body-too-large");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_a_body_that_is_too_long_gets_to_read_the_answer() {
    let service = Service::sqlite().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async { axum::serve(listener, service.router).await });
    let head = format!(
        "POST {COMPONENTS} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {SECRET}\r\nConnection: close\r\n\
         Content-Type: {JSON}\r\nContent-Length: {TEN_MIB}\r\n\r\n"
    );
    let request = [head.as_bytes(), &vec![b' '; TEN_MIB]].concat();
    for _ in 0..8 {
        // Were the connection closed with a part of the body unread, this would fail instead.
        let answer = over_tcp(address, &request).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert!(answer.contains("/problems/body-too-large"), "{answer}");
    }
    server.abort();
}

#[tokio::test]
async fn a_head_that_is_too_long_is_a_problem() {
    let service = Service::on(TestDatabase::sqlite()).await;
    let long = "x".repeat(33 * 1024);
    service.get(&format!("{COMPONENTS}?name={long}")).await.problem(414, "uri-too-long");
    let ask = || Service::request(Method::GET, COMPONENTS);
    let request = ask().header("x-long", &long).body(Body::empty()).unwrap();
    service.send(request).await.problem(431, "headers-too-large");
    let many = (0..100).fold(ask(), |request, n| request.header(format!("x-{n}"), "y"));
    service.send(many.body(Body::empty()).unwrap()).await.problem(431, "headers-too-large");
    // Nothing is lost: the next request is answered.
    assert_eq!(service.get(COMPONENTS).await.status, 200);
    service.assert_sound().await;
}
