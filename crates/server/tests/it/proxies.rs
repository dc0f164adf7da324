//! Who the service takes for its client, over real connections.

use crate::{
    database::TestDatabase,
    server::{Server, TOKEN, client},
};

/// The client of a request with these headers, as the log reports it.
async fn client_in_log(trusted: Option<&str>, headers: &[(&str, &str)]) -> String {
    let database = TestDatabase::sqlite();
    let mut variables =
        vec![("INVENTORY_BOOTSTRAP_TOKEN", TOKEN), ("INVENTORY_LOG", "warn,inventory_http=debug")];
    variables.extend(trusted.map(|networks| ("INVENTORY_TRUSTED_PROXIES", networks)));
    let server = Server::start_with(&database, &variables);
    let mut request = client().get(format!("{}/livez", server.base));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    assert!(request.send().await.unwrap().status().is_success());
    let log = server.log_with("\"client\":\"");
    let (_, client) = log.split_once("\"client\":\"").unwrap_or_else(|| panic!("no client in {log}"));
    let (client, _) = client.split_once('"').unwrap();
    client.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_believed_only_where_it_is_declared() {
    for (trusted, name, value, client) in [
        (None, "X-Forwarded-For", "203.0.113.9", "127.0.0.1"),
        (Some("10.0.0.0/8"), "Forwarded", "for=203.0.113.9", "127.0.0.1"),
        (Some("127.0.0.1"), "X-Forwarded-For", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (Some("10.0.0.0/8, 127.0.0.0/8"), "Forwarded", "for=203.0.113.9, for=10.1.1.1", "203.0.113.9"),
    ] {
        assert_eq!(client_in_log(trusted, &[(name, value)]).await, client, "{trusted:?} {name}: {value}");
    }
}
