//! Signing in and out, and what is around every page.

use axum::http::{Method, StatusCode, header};

use crate::visitor::{COMPONENTS, PASSWORD, Site};

#[tokio::test]
async fn who_is_not_signed_in_is_asked_to_and_comes_back_to_where_they_were() {
    for site in Site::each().await {
        let mut visitor = site.stranger();
        let answer = visitor.get("/admin/components?q=a%26b").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.location(), "/admin/sign-in?next=/admin/components%3Fq%3Da%2526b");
        let page = visitor.get(&answer.location()).await;
        assert_eq!(page.field("next"), "/admin/components?q=a%26b");
        let answer = visitor
            .post(
                "/admin/sign-in",
                &[("name", "editor"), ("password", PASSWORD), ("next", page.field("next"))],
            )
            .await;
        assert_eq!(
            (answer.status, answer.location().as_str()),
            (StatusCode::SEE_OTHER, "/admin/components?q=a%26b")
        );
        let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/admin"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert_eq!(visitor.get(&answer.location()).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_wrong_password_lets_nobody_in_and_keeps_the_name() {
    for site in Site::each().await {
        let mut visitor = site.stranger();
        let answer = visitor.post("/admin/sign-in", &[("name", "editor"), ("password", "wrong")]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        answer.assert_has(&["Wrong name or password.", "name=\"name\" value=\"editor\""]);
        assert!(!answer.headers.contains_key(header::SET_COOKIE));
        assert_eq!(visitor.get("/admin/").await.status, StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn who_signs_out_is_out() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let before = editor.request(Method::GET, "/admin/").body(axum::body::Body::empty()).unwrap();
        let page = editor.follow("/admin/sign-out", &[]).await;
        page.assert_has(&["You are signed out.", "Sign in"]);
        // The secret is no longer valid for anyone who kept it.
        assert_eq!(site.respond(before).await.status(), StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn every_failure_is_a_page_that_says_what_happened() {
    for site in Site::each().await {
        let mut viewer = site.viewer().await;
        let component = site.create(serde_json::json!({"name": "a"})).await;
        for (method, path, status, words) in [
            (Method::GET, "/admin/nowhere", StatusCode::NOT_FOUND, "There is no page at /admin/nowhere."),
            (Method::GET, "/admin/components/x", StatusCode::NOT_FOUND, "This component does not exist"),
            (
                Method::GET,
                "/admin/components/00000000-0000-7000-8000-000000000000",
                StatusCode::NOT_FOUND,
                "This component does not exist",
            ),
            (Method::DELETE, COMPONENTS, StatusCode::METHOD_NOT_ALLOWED, "cannot be used this way"),
            (Method::GET, "/admin/components/new", StatusCode::FORBIDDEN, "You can view components"),
            (Method::GET, "/admin/components?q=%FF", StatusCode::OK, "Components"),
        ] {
            let request = viewer.request(method, path).body(axum::body::Body::empty()).unwrap();
            let answer = viewer.send(request).await;
            assert_eq!(answer.status, status, "{path}");
            answer.assert_has(&[words]);
        }
        let id = component.id.to_string();
        for path in [
            format!("{COMPONENTS}/new"),
            format!("{COMPONENTS}/{id}"),
            format!("{COMPONENTS}/{id}/delete"),
            format!("{COMPONENTS}/{id}/merge"),
            format!("{COMPONENTS}/{id}/cell/name"),
            format!("{COMPONENTS}/bulk"),
            format!("{COMPONENTS}/bulk/run"),
        ] {
            let fields =
                [("version", "1"), ("value", "b"), ("name", "b"), ("action", "delete"), ("everything", "1")];
            let answer = viewer.post(&path, &fields).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        }
        assert_eq!(site.component(component.id).await.unwrap(), component);
    }
}

#[tokio::test]
async fn a_slash_too_many_leads_to_the_page() {
    for site in Site::each().await {
        let mut viewer = site.viewer().await;
        let answer = viewer.get("/admin/components/?q=a").await;
        assert_eq!(
            (answer.status, answer.location().as_str()),
            (StatusCode::PERMANENT_REDIRECT, "/admin/components?q=a")
        );
        assert_eq!(viewer.get("/admin").await.location(), "/admin/");
    }
}

#[tokio::test]
async fn assets_are_kept_for_ever_under_the_digest_of_their_content() {
    for site in Site::each().await {
        let mut stranger = site.stranger();
        let page = stranger.get("/admin/sign-in").await;
        let assets: Vec<_> =
            page.text().split('"').filter(|text| text.starts_with("/admin/assets/")).collect();
        assert!(assets.len() >= 4, "{assets:?}");
        for asset in assets {
            let answer = stranger.get(asset).await;
            assert_eq!(answer.status, StatusCode::OK, "{asset}");
            assert_eq!(answer.headers[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
            assert!(!answer.body.is_empty());
        }
        assert_eq!(stranger.get("/admin/assets/admin.000000000000.css").await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_theme_is_remembered() {
    for site in Site::each().await {
        let mut viewer = site.viewer().await;
        assert!(!viewer.get("/admin/").await.has("data-theme=\""));
        let page = viewer.follow("/admin/theme", &[("theme", "dark"), ("next", COMPONENTS)]).await;
        page.assert_has(&["data-theme=\"dark\"", "<h1 id=\"title\">Components"]);
        let page = viewer.follow("/admin/theme", &[("theme", "auto"), ("next", COMPONENTS)]).await;
        assert!(!page.has("data-theme=\""));
    }
}

#[tokio::test]
async fn the_home_page_tells_what_happened_and_who_did_it() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        editor.get("/admin/").await.assert_has(&["No changes yet.", "Create the first component"]);
        let kept = site.create(serde_json::json!({"name": "kept"})).await;
        let gone = site.create(serde_json::json!({"name": "gone", "status": "archived"})).await;
        site.change(kept.id, serde_json::json!({"name": "renamed", "unit": "m"})).await;
        site.delete(gone.id).await;
        let page = editor.get("/admin/").await;
        page.assert_has(&[
            "<b>1</b><span>component</span>",
            "<b>0</b><span>archived</span>",
            "<b>2</b><span>created in the last 28 days</span>",
            "changed by token robot: name, unit",
            "deleted by token robot",
            "<svg class=\"chart\"",
            &format!("/admin/components/{}/history", gone.id),
            "up to date",
        ]);
    }
}
