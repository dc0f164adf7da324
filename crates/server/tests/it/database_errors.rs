//! What errors of the database are: its absence, or a defect.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::{
    database::{TestDatabase, psql},
    server::Server,
};

const COMPONENTS: &str = "/api/v1/components";

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_nobody_foresaw_is_500_and_logged_once_with_its_code() {
    for database in TestDatabase::each() {
        let server = Server::start(&database);
        database.shell("ALTER TABLE component RENAME TO gone");
        // What the database says of a table that is not there.
        let code = match &database {
            TestDatabase::Sqlite { .. } => "code: 1)",
            TestDatabase::Postgres { .. } => "code: 42P01)",
        };
        let requests = [
            server.api.request(Method::GET, COMPONENTS),
            server.api.request(Method::POST, COMPONENTS).json(&json!({"name": "a"})),
        ];
        for request in requests {
            let logged = server.log().lines().count();
            let (status, problem) = server.api.send(request).await;
            assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{problem}");
            assert_eq!(problem["type"], "/problems/internal-error");
            let log = server.log_with(problem["instance"].as_str().unwrap());
            let lines =
                log.lines().skip(logged).filter(|line| line.contains(code) && line.contains("instance"));
            assert_eq!(lines.count(), 1, "{log}");
        }
        database.shell("ALTER TABLE gone RENAME TO component");
        assert_eq!(server.api.get(COMPONENTS).await.0, StatusCode::OK);
        server.stop();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_refuses_connections_is_no_defect() {
    let Some(database) = TestDatabase::postgres() else { return };
    let TestDatabase::Postgres { server: postgres, name } = &database else { return };
    let server = Server::start(&database);
    let shell = |sql: &str| psql(&format!("{postgres}/postgres"), sql).unwrap();
    shell(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
    shell(&format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}'"));
    for path in [COMPONENTS, "/readyz"] {
        for _ in 0..5 {
            let (status, problem) = server.api.get(path).await;
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
        }
    }
    let (_, problem) = server.api.get(COMPONENTS).await;
    assert_eq!(problem["type"], "/problems/database-unavailable");
    shell(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
    server.stop();
}
