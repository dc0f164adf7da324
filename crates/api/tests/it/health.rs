//! `/livez` and `/readyz`.

use crate::service::Service;

#[tokio::test]
async fn a_service_that_stops_is_alive_but_not_ready() {
    let service = Service::sqlite().await;
    assert_eq!(service.get("/livez").await.body, "alive\n");
    assert_eq!(service.get("/readyz").await.body, "ready\n");
    service.app.set_stopping();
    let problem = service.get("/readyz").await.problem(503, "not-ready");
    assert_eq!(problem["detail"], "the service is stopping");
    assert_eq!(service.get("/livez").await.status, 200);
}

#[tokio::test]
async fn without_its_database_the_service_is_not_ready_and_says_so() {
    let service = Service::sqlite().await;
    service.store.close().await;
    let problem = service.get("/readyz").await.problem(503, "not-ready");
    assert_eq!(problem["detail"], "the database does not answer");
    assert_eq!(service.get("/livez").await.status, 200);
    let problem = service.get("/api/v1/components").await.problem(503, "database-unavailable");
    assert!(problem["instance"].as_str().unwrap().starts_with("urn:uuid:"), "{problem}");
}

#[tokio::test]
async fn a_service_without_one_of_its_core_tasks_is_not_alive() {
    let service = Service::sqlite().await;
    service.store.core_tasks().spawn("test", async { panic!("a defect") });
    assert_eq!(service.store.core_tasks().wait_for_unexpected_end().await, "test");
    let problem = service.get("/livez").await.problem(503, "not-alive");
    assert_eq!(problem["detail"], "the test task has ended; restart the process");
}
