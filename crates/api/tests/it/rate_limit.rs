//! Too many requests, and too many wrong tokens.

use std::{collections::BTreeSet, net::IpAddr, num::NonZeroU32, sync::mpsc};

use axum::{
    body::Body,
    http::{Method, Request},
};
use inventory::{MetricsAccess, Options};
use inventory_core::Actor;
use inventory_http::Connection;
use inventory_store::TokenKey;

use crate::{
    database::TestDatabase,
    service::{Answer, COMPONENTS, PATIENCE, SECRET, Service},
};

/// How many wrong tokens an address may send at once.
const GUESSES: u32 = 60;
const HERE: [u8; 4] = [203, 0, 113, 1];
const THERE: [u8; 4] = [203, 0, 113, 2];

/// A service that answers one request a second, and two at once.
async fn strict() -> Service {
    let options = Options { rate_limit: NonZeroU32::new(1), ..Options::default() };
    Service::with(TestDatabase::sqlite(), options).await
}

async fn ask(service: &Service, path: &str, from: [u8; 4], token: Option<&str>) -> Answer {
    let connection = Connection { peer: IpAddr::from(from), tls: false };
    let mut request = Request::builder().method(Method::GET).uri(path).extension(connection);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    service.send(request.body(Body::empty()).unwrap()).await
}

/// Asks until the first refusal, which comes soon; how many requests were answered before it.
async fn until_refused(service: &Service, path: &str, from: [u8; 4], token: Option<&str>) -> (u32, Answer) {
    for answered in 0..100 {
        let answer = ask(service, path, from, token).await;
        if answer.status == 429 {
            return (answered, answer);
        }
    }
    panic!("no request was refused");
}

#[tokio::test]
async fn a_token_gets_so_many_answers_and_another_token_its_own() {
    let service = strict().await;
    let first = ask(&service, COMPONENTS, HERE, Some(SECRET)).await;
    assert_eq!(first.status, 200);
    assert_eq!(first.header("ratelimit-policy"), "\"token\";q=2;w=2");
    assert_eq!(first.header("ratelimit"), "\"token\";r=1;t=1");
    let (_, refused) = until_refused(&service, COMPONENTS, THERE, Some(SECRET)).await;
    let problem = refused.problem(429, "too-many-requests");
    assert!(
        problem["detail"].as_str().unwrap().contains("1 requests per second with one token"),
        "{problem}"
    );
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.header("ratelimit"), "\"token\";r=0;t=2");
    let other = "another-secret-that-is-long-enough";
    service.store.tokens().ensure("other", other, Actor::system()).await.unwrap();
    assert_eq!(ask(&service, COMPONENTS, HERE, Some(other)).await.status, 200);

    // Who waits is answered again.
    let answered = async { while ask(&service, COMPONENTS, HERE, Some(SECRET)).await.status != 200 {} };
    tokio::time::timeout(PATIENCE, answered).await.unwrap();

    let scrape = ask(&service, "/metrics/", HERE, None).await;
    let refused = scrape
        .text()
        .lines()
        .find(|line| line.starts_with("inventory_http_rate_limited_total{limit=\"token\"}"));
    assert!(refused.is_some_and(|line| !line.ends_with(" 0")), "{refused:?}");
    assert!(scrape.text().contains("inventory_http_rate_limited_total{limit=\"guesses\"} 0"));
}

#[tokio::test]
async fn an_address_without_a_good_token_gets_so_many_answers_and_another_its_own() {
    let service = strict().await;
    for (path, token) in [("/openapi.json", None), ("/problems/busy", Some("wrong")), (COMPONENTS, None)] {
        let (_, refused) = until_refused(&service, path, HERE, token).await;
        assert_eq!(refused.header("ratelimit-policy"), "\"address\";q=2;w=2");
        assert_eq!(refused.header("ratelimit"), "\"address\";r=0;t=2");
    }
    assert_eq!(ask(&service, "/openapi.json", THERE, None).await.status, 200);
    assert_eq!(ask(&service, COMPONENTS, HERE, Some(SECRET)).await.status, 200);
}

#[tokio::test]
async fn health_and_metrics_are_answered_however_often() {
    let service = strict().await;
    for path in ["/livez", "/readyz", "/metrics/", "/metrics"] {
        for _ in 0..20 {
            let answer = ask(&service, path, HERE, None).await;
            assert_eq!(answer.status, 200, "{path}");
            assert!(!answer.headers.contains_key("ratelimit"), "{path}");
        }
    }
}

#[tokio::test]
async fn without_a_limit_everything_is_answered() {
    let service = Service::sqlite().await;
    for _ in 0..2000 {
        let answer = ask(&service, "/problems/busy", HERE, None).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.headers.contains_key("ratelimit"));
    }
}

#[tokio::test]
async fn tokens_cannot_be_guessed_fast() {
    let service = Service::sqlite().await;
    // The same wrong one, as often as it likes: a program whose token was revoked.
    for _ in 0..5 * GUESSES {
        ask(&service, COMPONENTS, HERE, Some("revoked")).await.problem(401, "unauthorized");
    }
    let mut refused = 0;
    for guess in 0..2 * GUESSES {
        let answer = ask(&service, COMPONENTS, HERE, Some(&format!("guess-{guess}"))).await;
        refused += u32::from(answer.status == 429);
    }
    // In the time that this took, a guess or a few more may have been due.
    assert!((GUESSES / 2..=GUESSES + 1).contains(&refused), "{refused}");
    // Now a right one that was not used before is not told from wrong ones there, and is as good as ever elsewhere.
    let mut statuses = BTreeSet::new();
    for guess in 0..10 {
        ask(&service, COMPONENTS, HERE, Some(&format!("again-{guess}"))).await;
        statuses.insert(ask(&service, COMPONENTS, HERE, Some(SECRET)).await.status.as_u16());
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(ask(&service, COMPONENTS, THERE, Some(SECRET)).await.status, 200);
    let refused = ask(&service, COMPONENTS, HERE, Some("one-more")).await;
    if refused.status == 429 {
        let problem = refused.problem(429, "too-many-requests");
        assert_eq!(problem["detail"], "too many invalid tokens were sent from 203.0.113.1");
        assert_eq!(refused.header("retry-after"), "1");
    }
}

#[tokio::test]
async fn tokens_that_were_accepted_pass_while_others_are_guessed_from_the_same_address() {
    const METRICS_TOKEN: &str = "the-token-of-prometheus";
    let options = Options { metrics_access: MetricsAccess::token(METRICS_TOKEN), ..Options::default() };
    let service = Service::with(TestDatabase::sqlite(), options).await;
    // The bootstrap token by way of the API, and the metrics token by way of the metrics.
    assert_eq!(ask(&service, COMPONENTS, THERE, Some(SECRET)).await.status, 200);
    assert_eq!(ask(&service, "/metrics/", HERE, Some(METRICS_TOKEN)).await.status, 200);
    let mut refused = 0;
    for guess in 0..3 * GUESSES {
        for path in [COMPONENTS, "/metrics/"] {
            let answer = ask(&service, path, HERE, Some(&format!("guess-{guess}-{path}"))).await;
            refused += u32::from(answer.status == 429);
        }
        assert_eq!(ask(&service, COMPONENTS, HERE, Some(SECRET)).await.status, 200, "guess {guess}");
        assert_eq!(ask(&service, "/metrics/", HERE, Some(METRICS_TOKEN)).await.status, 200, "guess {guess}");
        assert_eq!(ask(&service, "/metrics/", HERE, Some(SECRET)).await.status, 200, "guess {guess}");
    }
    assert!(refused > 4 * GUESSES, "{refused}");
}

#[tokio::test]
async fn a_token_that_was_accepted_and_then_revoked_is_a_wrong_one() {
    let service = Service::sqlite().await;
    assert_eq!(ask(&service, COMPONENTS, HERE, Some(SECRET)).await.status, 200);
    service.store.tokens().revoke(TokenKey::Name("tests".to_owned()), Actor::system()).await.unwrap();
    ask(&service, COMPONENTS, HERE, Some(SECRET)).await.problem(401, "unauthorized");
    let mut refused = 0;
    for guess in 0..2 * GUESSES {
        ask(&service, COMPONENTS, HERE, Some(&format!("guess-{guess}"))).await;
        refused += u32::from(ask(&service, COMPONENTS, HERE, Some(SECRET)).await.status == 429);
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn a_wrong_token_that_became_a_good_one_is_taken() {
    let service = strict().await;
    let secret = "a-secret-that-is-not-yet-one";
    ask(&service, COMPONENTS, HERE, Some(secret)).await.problem(401, "unauthorized");
    service.store.tokens().ensure("late", secret, Actor::system()).await.unwrap();
    let first = ask(&service, COMPONENTS, HERE, Some(secret)).await;
    assert_eq!((first.status.as_u16(), first.header("ratelimit-policy")), (200, "\"address\";q=2;w=2"));
    // From then on it has the limit of a token.
    let second = ask(&service, COMPONENTS, HERE, Some(secret)).await;
    assert_eq!((second.status.as_u16(), second.header("ratelimit-policy")), (200, "\"token\";q=2;w=2"));
}

#[tokio::test]
async fn past_the_limit_no_token_is_looked_up() {
    let service = Service::sqlite().await;
    let _frozen = FrozenTime::start();
    let mut guess = 0;
    loop {
        let answer = ask(&service, COMPONENTS, HERE, Some(&format!("guess-{guess}"))).await;
        if answer.status == 429 {
            break;
        }
        answer.problem(401, "unauthorized");
        guess += 1;
    }
    service.store.close().await;
    // Without a database the token lookup fails for every client that is not refused before it.
    ask(&service, COMPONENTS, THERE, Some("a-guess")).await.problem(503, "database-unavailable");
    for guess in 0..GUESSES {
        let answer = ask(&service, COMPONENTS, HERE, Some(&format!("again-{guess}"))).await;
        answer.problem(429, "too-many-requests");
    }
}

/// Stops tokio's clock. The paused clock jumps to the next timer when the runtime is idle, but not while a blocking
/// task runs, so one runs until this is dropped.
struct FrozenTime {
    _release: mpsc::Sender<()>,
}

impl FrozenTime {
    fn start() -> Self {
        let (release, released) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || released.recv());
        tokio::time::pause();
        Self { _release: release }
    }
}
