//! One's own account.

use axum::http::{Method, StatusCode, header};

use crate::visitor::{FormRequest, PASSWORD, Site, Visitor};

const ACCOUNT: &str = "/admin/account";
/// Another password than everybody's.
const OTHER: &str = "staple battery horse";

/// Signs someone in whose browser calls itself so.
async fn with_agent<'a>(site: &'a Site, name: &str, agent: &str) -> Visitor<'a> {
    let mut visitor = site.stranger();
    let request = visitor.request(Method::POST, "/admin/sign-in").header(header::USER_AGENT, agent);
    let answer = visitor.send(request.form(&[("name", name), ("password", PASSWORD)])).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    visitor
}

fn passwords<'a>(present: &'a str, new: &'a str, again: &'a str) -> [(&'a str, &'a str); 3] {
    [("present_password", present), ("new_password", new), ("new_password_again", again)]
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it_and_ends_all_other_sessions() {
    for site in Site::each().await {
        let (mut here, mut there) = (site.viewer().await, site.viewer().await);
        let path = format!("{ACCOUNT}/password");
        for (fields, words) in [
            (passwords("a guess at it", OTHER, OTHER), "That is not your current password."),
            (passwords("", OTHER, OTHER), "That is not your current password."),
            (passwords(PASSWORD, "short", "short"), "must be at least 12 characters long"),
            (passwords(PASSWORD, OTHER, "another one it is"), "The passwords do not match."),
        ] {
            let page = here.post(&path, &fields).await;
            assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
            page.assert_has(&[words, "The password was not changed."]);
            assert!(!page.has(PASSWORD) && !page.has(OTHER), "a page tells a password");
        }
        assert_eq!(there.get(ACCOUNT).await.status, StatusCode::OK);
        here.follow(&path, &passwords(PASSWORD, OTHER, OTHER)).await.assert_has(&["Password changed."]);
        assert_eq!(here.get(ACCOUNT).await.status, StatusCode::OK, "this session goes on");
        assert_eq!(there.get(ACCOUNT).await.status, StatusCode::SEE_OTHER, "the others have ended");
        let old = site.stranger().post("/admin/sign-in", &[("name", "viewer"), ("password", PASSWORD)]).await;
        assert_eq!(old.status, StatusCode::UNPROCESSABLE_ENTITY);
        let new = site.stranger().post("/admin/sign-in", &[("name", "viewer"), ("password", OTHER)]).await;
        assert_eq!(new.status, StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn the_present_password_cannot_be_guessed_at_from_a_browser_that_was_left_open() {
    for site in Site::each().await {
        let mut open = site.viewer().await;
        let path = format!("{ACCOUNT}/password");
        let mut refused = 0;
        for guess in 0..20 {
            let answer = open.post(&path, &passwords(&format!("guess {guess}"), OTHER, OTHER)).await;
            refused += u32::from(answer.status == StatusCode::TOO_MANY_REQUESTS);
        }
        assert!(refused >= 5, "{refused} of 20 were refused");
        let lucky = open.post(&path, &passwords(PASSWORD, OTHER, OTHER)).await;
        assert_eq!(lucky.status, StatusCode::TOO_MANY_REQUESTS);
    }
}

#[tokio::test]
async fn sessions_are_told_apart_and_ended() {
    for site in Site::each().await {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let mut here = with_agent(&site, "viewer", firefox).await;
        let mut there = with_agent(&site, "viewer", "<img src=x onerror=alert(1)>").await;
        let page = here.get(ACCOUNT).await;
        page.assert_has(&[
            "Firefox on Linux <span class=\"mark\">this browser",
            "&#60;img src=x",
            "End all other sessions",
        ]);
        // There is one button: this session is ended by signing out.
        let (_, rest) = page.text().split_once("action=\"/admin/account/sessions/").unwrap();
        let id = rest.split('/').next().unwrap().to_owned();
        // Nobody ends a session of someone else, however well they know its id.
        let mut editor = site.editor().await;
        let path = format!("{ACCOUNT}/sessions/{id}/end");
        editor.follow(&path, &[]).await.assert_has(&["0 sessions ended."]);
        assert_eq!(there.get(ACCOUNT).await.status, StatusCode::OK);
        here.follow(&path, &[]).await.assert_has(&["1 session ended."]);
        assert_eq!(there.get(ACCOUNT).await.status, StatusCode::SEE_OTHER);
        let (mut one, mut two) = (site.viewer().await, site.viewer().await);
        let page = here.follow(&format!("{ACCOUNT}/sessions/end-others"), &[]).await;
        page.assert_has(&["2 sessions ended.", "this browser"]);
        assert!(!page.has("End all other sessions"));
        for ended in [&mut one, &mut two] {
            assert_eq!(ended.get(ACCOUNT).await.status, StatusCode::SEE_OTHER);
        }
        assert_eq!(here.post(&format!("{ACCOUNT}/sessions/x/end"), &[]).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn the_theme_is_chosen_there_too() {
    for site in Site::each().await {
        let mut viewer = site.viewer().await;
        viewer.get(ACCOUNT).await.assert_has(&["can view components and their history", "Your account"]);
        let page = viewer.follow("/admin/theme", &[("theme", "dark"), ("next", ACCOUNT)]).await;
        page.assert_has(&["data-theme=\"dark\"", "Your account"]);
    }
}
