//! Who comes in, and who does not.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    body::Body,
    http::{Method, StatusCode, header},
};
use inventory_core::{Actor, Role, UserChange};
use inventory_store::VersionPrecondition;
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::visitor::{Answer, COMPONENTS, FormRequest, PASSWORD, PATIENCE, Site, Visitor};

/// Tries to sign in from an address.
async fn attempt(visitor: &mut Visitor<'_>, last: u8, name: &str, password: &str) -> Answer {
    let mut request =
        visitor.request(Method::POST, "/admin/sign-in").form(&[("name", name), ("password", password)]);
    request
        .extensions_mut()
        .insert(inventory_http::Connection { peer: [192, 0, 2, last].into(), tls: false });
    visitor.send(request).await
}

#[tokio::test]
async fn guessing_is_slowed_down_and_locks_nobody_out_who_was_here_before() {
    for site in Site::each().await {
        // The owner signed in once, and out again.
        let mut owner = site.editor().await;
        owner.post("/admin/sign-out", &[]).await;
        // From many addresses, so that no limit of an address is met.
        let mut attacker = site.stranger();
        let mut refused = 0;
        for address in 0..40 {
            let answer = attempt(&mut attacker, address, "editor", "a guess").await;
            match answer.status {
                StatusCode::UNPROCESSABLE_ENTITY => {
                    assert_eq!(refused, 0, "refused once, refused for a while");
                }
                StatusCode::TOO_MANY_REQUESTS => {
                    refused += 1;
                    assert!(answer.headers.contains_key(header::RETRY_AFTER));
                    answer.assert_has(&["Too many sign-in attempts"]);
                }
                status => panic!("{status}"),
            }
        }
        assert!(refused >= 25, "{refused} of 40 were refused");
        // Even the right password does not help who guesses.
        let lucky = attempt(&mut attacker, 200, "editor", PASSWORD).await;
        assert_eq!(lucky.status, StatusCode::TOO_MANY_REQUESTS);
        let answer = attempt(&mut owner, 201, "editor", PASSWORD).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
        // A browser is known to its own user only.
        let mut viewer = site.viewer().await;
        viewer.post("/admin/sign-out", &[]).await;
        assert_eq!(attempt(&mut viewer, 202, "editor", PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS);
    }
}

#[tokio::test]
async fn one_address_cannot_try_many_names() {
    for site in Site::each().await {
        let mut attacker = site.stranger();
        let mut refused = 0;
        for number in 0..40 {
            let answer = attempt(&mut attacker, 7, &format!("user{number}"), "a guess").await;
            refused += u32::from(answer.status == StatusCode::TOO_MANY_REQUESTS);
        }
        assert!(refused >= 15, "{refused} of 40 were refused");
        let mut other = site.stranger();
        assert_eq!(attempt(&mut other, 8, "viewer", PASSWORD).await.status, StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn a_session_begins_at_the_sign_in_and_is_worth_nothing_after_the_sign_out() {
    for site in Site::each().await {
        // A cookie that someone planted before is not the one of the session that begins.
        let mut planted = site.stranger();
        planted.set_cookie("inventory_session", "planted-by-someone-else");
        let answer = planted.post("/admin/sign-in", &[("name", "editor"), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        let cookies: Vec<_> = answer
            .headers
            .get_all(header::SET_COOKIE)
            .iter()
            .map(|cookie| cookie.to_str().unwrap())
            .collect();
        let session = cookies.iter().find(|cookie| cookie.starts_with("inventory_session=")).unwrap();
        assert!(!session.contains("planted"), "{session}");
        for part in ["; Path=/admin", "; HttpOnly", "; SameSite=Lax"] {
            assert!(session.contains(part), "{session}");
        }
        let mut copy = planted.copy();
        assert_eq!(copy.get(COMPONENTS).await.status, StatusCode::OK);
        planted.post("/admin/sign-out", &[]).await;
        // Who kept a copy of the cookie has nothing any more.
        assert_eq!(copy.get(COMPONENTS).await.status, StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn a_cookie_is_secure_where_the_way_is() {
    for site in Site::each().await {
        for (tls, secure) in [(true, true), (false, false)] {
            let mut visitor = site.stranger();
            let fields = [("name", "editor"), ("password", PASSWORD)];
            let mut request = visitor.request(Method::POST, "/admin/sign-in").form(&fields);
            let connection = inventory_http::Connection { peer: [192, 0, 2, 1].into(), tls };
            request.extensions_mut().insert(connection);
            let answer = visitor.send(request).await;
            for cookie in answer.headers.get_all(header::SET_COOKIE) {
                assert_eq!(cookie.to_str().unwrap().contains("; Secure"), secure, "{cookie:?}");
            }
        }
    }
}

#[tokio::test]
async fn under_tls_no_other_host_can_plant_a_session() {
    for site in Site::each().await {
        let tls = inventory_http::Connection { peer: [192, 0, 2, 1].into(), tls: true };
        let mut visitor = site.stranger();
        let fields = [("name", "editor"), ("password", PASSWORD)];
        let mut request = visitor.request(Method::POST, "/admin/sign-in").form(&fields);
        request.extensions_mut().insert(tls);
        let answer = visitor.send(request).await;
        let cookies = answer.headers.get_all(header::SET_COOKIE).iter();
        let cookies: Vec<_> = cookies.map(|cookie| cookie.to_str().unwrap()).collect();
        // What the prefix promises (RFC 6265bis §4.1.3.2), or browsers refuse the cookie.
        let session = cookies.iter().find(|cookie| cookie.starts_with("__Host-inventory_session=")).unwrap();
        assert!(session.contains("; Path=/;") && session.contains("; Secure"), "{session}");
        assert!(!session.contains("Domain"), "{session}");
        let secret = session.split(['=', ';']).nth(1).unwrap();
        for (name, tls, status) in [
            ("__Host-inventory_session", true, StatusCode::OK),
            ("inventory_session", true, StatusCode::SEE_OTHER),
            ("inventory_session", false, StatusCode::OK),
        ] {
            let mut other = site.stranger();
            other.set_cookie(name, secret);
            let mut request = other.request(Method::GET, COMPONENTS).body(Body::empty()).unwrap();
            request.extensions_mut().insert(inventory_http::Connection { peer: [192, 0, 2, 1].into(), tls });
            assert_eq!(other.send(request).await.status, status, "{name}, TLS: {tls}");
        }
        let mut request = visitor.request(Method::POST, "/admin/sign-out").form(&[]);
        request.extensions_mut().insert(tls);
        let answer = visitor.send(request).await;
        let mut cookies = answer.headers.get_all(header::SET_COOKIE).iter();
        let ended = "__Host-inventory_session=; Path=/;";
        assert!(cookies.any(|cookie| cookie.to_str().unwrap().starts_with(ended)), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_here_before_does_not_wait_for_strangers() {
    for site in Site::each().await {
        let mut owner = site.editor().await;
        owner.post("/admin/sign-out", &[]).await;
        let answered = Arc::new(AtomicUsize::new(0));
        let mut strangers = JoinSet::new();
        for number in 0..200_u16 {
            let stranger = site.stranger();
            let name = format!("stranger{number}");
            let fields = [("name", &*name), ("password", "a guess")];
            let request = stranger.request(Method::POST, "/admin/sign-in").header(header::HOST, "test");
            let mut request = request.form(&fields);
            let [high, low] = number.to_be_bytes();
            let peer = [192, 0, high, low].into();
            request.extensions_mut().insert(inventory_http::Connection { peer, tls: false });
            let (router, answered) = (site.router.clone(), Arc::clone(&answered));
            strangers.spawn(async move {
                let response = router.oneshot(request).await.unwrap();
                answered.fetch_add(1, Ordering::SeqCst);
                (response.status(), response.headers().contains_key(header::RETRY_AFTER))
            });
        }
        // Those who are not let in to wait are answered at once. The others wait.
        let deadline = std::time::Instant::now() + PATIENCE;
        while answered.load(Ordering::SeqCst) == 0 {
            assert!(std::time::Instant::now() < deadline, "nobody is answered");
            tokio::task::yield_now().await;
        }
        let before = answered.load(Ordering::SeqCst);
        let answer = attempt(&mut owner, 201, "editor", PASSWORD).await;
        let after = answered.load(Ordering::SeqCst);
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
        let mut outcomes = HashMap::new();
        for outcome in strangers.join_all().await {
            *outcomes.entry(outcome).or_insert(0) += 1;
        }
        let refused = outcomes.remove(&(StatusCode::UNPROCESSABLE_ENTITY, false)).unwrap_or_default();
        let turned_away = outcomes.remove(&(StatusCode::SERVICE_UNAVAILABLE, true)).unwrap_or_default();
        assert!(outcomes.is_empty(), "{outcomes:?}");
        assert!(refused > 0 && turned_away > 0, "{refused} were refused, {turned_away} turned away");
        // Of those who waited, most waited longer than the owner.
        let left = 200 - after;
        assert!(left > refused / 2, "{before} answers before, {after} after, {refused} hashed");
    }
}

#[tokio::test]
async fn a_role_that_is_lowered_and_a_user_who_is_disabled_feel_it_at_the_next_click() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let user = site.store.users().find_by_name(&"editor".parse().unwrap()).await.unwrap().unwrap();
        let create = [("name", "a")];
        assert_eq!(editor.post("/admin/components/new", &create).await.status, StatusCode::SEE_OTHER);
        let change = async |change| {
            site.store
                .users()
                .change(user.id, VersionPrecondition::Any, change, None, Actor::cli())
                .await
                .unwrap();
        };
        change(UserChange { role: Some(Role::Viewer), ..UserChange::default() }).await;
        assert_eq!(editor.post("/admin/components/new", &create).await.status, StatusCode::FORBIDDEN);
        assert_eq!(editor.get(COMPONENTS).await.status, StatusCode::OK);
        change(UserChange { disabled: Some(true), ..UserChange::default() }).await;
        assert_eq!(editor.get(COMPONENTS).await.status, StatusCode::SEE_OTHER, "to the sign-in");
        let refused = editor.post("/admin/sign-in", &[("name", "editor"), ("password", PASSWORD)]).await;
        refused.assert_has(&["Wrong name or password."]);
    }
}
