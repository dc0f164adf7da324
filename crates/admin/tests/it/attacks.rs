//! What someone with bad intentions sends.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use inventory_admin::Admin;
use inventory_core::{Actor, Scope, Scopes};
use inventory_store::NewToken;
use serde_json::json;

use crate::visitor::{COMPONENTS, FormRequest, PASSWORD, Site};

const IMAGE: &str = "<img src=x onerror=alert(1)>";
const QUOTE: &str = "\"><script>alert(1)</script>";

/// Where the assets are, which change nothing and take no forms.
const ASSETS: &str = "/admin/assets/";

#[tokio::test]
async fn a_form_of_another_site_changes_nothing_on_any_page() {
    for site in Site::each().await {
        let component = site.create(json!({"name": "a"})).await;
        let user = site.user("viewer").await;
        let mut admin = site.admin().await;
        let head = site.head().await;
        for (header, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
        ] {
            for path in Admin::paths().into_iter().filter(|path| !path.starts_with(ASSETS)) {
                let id =
                    if path.contains("/users/") { user.id.to_string() } else { component.id.to_string() };
                let path = path.replace("{id}", &id).replace("{field}", "name");
                let request = admin
                    .request(Method::POST, &path)
                    .header("host", "inventory.example")
                    .header(header, value);
                // What a good form of each page has.
                let fields = [
                    ("name", "forged"),
                    ("version", "1"),
                    ("role", "admin"),
                    ("scope", "admin"),
                    ("theme", "dark"),
                    ("password", PASSWORD),
                    ("present_password", PASSWORD),
                    ("new_password", PASSWORD),
                    ("new_password_again", PASSWORD),
                ];
                let answer = admin.send(request.form(&fields)).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} with {header}: {value}");
                answer.assert_has(&["the form came from another site"]);
                assert!(!answer.has("forged"), "it cannot be sent again from here");
            }
        }
        assert_eq!(site.head().await, head, "nothing happened");
        let request =
            admin.request(Method::POST, "/admin/components/new").header("sec-fetch-site", "same-origin");
        assert_eq!(admin.send(request.form(&[("name", "own")])).await.status, StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn nothing_that_is_stored_or_sent_becomes_part_of_a_page() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        let component = site
            .create(json!({
                "name": IMAGE, "sku": QUOTE, "description": IMAGE, "notes": format!("</textarea>{IMAGE}"), "manufacturer": IMAGE,
                "mpn": QUOTE, "barcode": IMAGE, "unit": "<b>", "tags": ["<img src=x onerror=alert(1)>"],
                "datasheet_url": "https://example.org/'onmouseover=alert(1)",
                "custom_fields": {"x": QUOTE},
            }))
            .await;
        let columns = [
            "sku",
            "description",
            "notes",
            "manufacturer",
            "mpn",
            "barcode",
            "unit",
            "tags",
            "datasheet_url",
            "created_by",
        ];
        let mut fields: Vec<_> = columns.map(|column| ("column", column)).to_vec();
        fields.push(("next", COMPONENTS));
        editor.follow("/admin/components/columns", &fields).await;
        site.change(component.id, json!({"description": QUOTE, "custom_fields": {"x": IMAGE}})).await;
        let (id, row) = (component.id.to_string(), format!("{}:1", component.id));
        let path = format!("{COMPONENTS}/{id}");
        let reflected = [
            ("version", "1"),
            ("name", QUOTE),
            ("sku", IMAGE),
            ("value", QUOTE),
            ("tag", QUOTE),
            ("row", &row),
            ("list.q", QUOTE),
            ("then", QUOTE),
        ];
        let mut answers = Vec::new();
        for page in [
            COMPONENTS.to_owned(),
            format!(
                "{COMPONENTS}?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&tags=%3Cimg%20src=x%20onerror=alert(1)%3E&unit_cost__gte=%3Cimg%20src=x%20onerror=alert(1)%3E"
            ),
            path.clone(),
            format!("{path}/history"),
            format!("{path}/delete"),
            format!("{path}/cell/name"),
            format!("{COMPONENTS}/new?from={id}"),
            "/admin/".to_owned(),
            "/admin/%3Cimg%20src=x%20onerror=alert(1)%3E".to_owned(),
            "/admin/sign-in?next=%22%3E%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
        ] {
            answers.push(editor.get(&page).await);
        }
        for (page, more) in [
            (path.clone(), ("status", IMAGE)),
            (format!("{path}/cell/name"), ("base", "1")),
            (format!("{COMPONENTS}/new"), ("unit_cost", IMAGE)),
            (format!("{COMPONENTS}/bulk"), ("action", "add-tag")),
            (format!("{COMPONENTS}/bulk"), ("action", IMAGE)),
        ] {
            answers.push(editor.post(&page, &[reflected.as_slice(), &[more]].concat()).await);
        }
        let mut stranger = site.stranger();
        answers.push(stranger.post(&format!("{COMPONENTS}/new"), &reflected).await);
        answers.push(stranger.post("/admin/sign-in", &[("name", QUOTE), ("password", "x")]).await);
        for answer in answers {
            for dangerous in ["<img", "<script>", "<b>&", "'onmouseover", "\"><script"] {
                assert!(!answer.has(dangerous), "{dangerous} in\n{}", answer.text());
            }
        }
    }
}

#[tokio::test]
async fn nothing_about_people_becomes_part_of_a_page() {
    for site in Site::each().await {
        let mut admin = site.admin().await;
        let user = site.user("editor").await;
        // A browser may call itself anything.
        let mut request = site.stranger().request(Method::POST, "/admin/sign-in").header("user-agent", IMAGE);
        request = request.header("x-forwarded-for", IMAGE).header("forwarded", "for=<img>");
        let sign_in = request.form(&[("name", "editor"), ("password", PASSWORD)]);
        let mut editor = site.stranger();
        assert_eq!(editor.send(sign_in).await.status, StatusCode::SEE_OTHER);
        for name in [IMAGE, QUOTE] {
            let (owner, scopes) = (Some(user.id), Scopes::of([Scope::Read]));
            let new = NewToken { name: name.to_owned(), owner, scopes, expires_at: None };
            site.store.tokens().create(new, Actor::token(name)).await.unwrap();
        }
        let token = site.store.tokens().list().await.unwrap().pop().unwrap();
        let path = format!("/admin/users/{}", user.id);
        let mut answers = Vec::new();
        for page in [
            path.clone(),
            format!("{path}/history"),
            format!("{path}/delete"),
            "/admin/users?after=%22%3E%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
            "/admin/users/%22%3E%3Cscript%3E".to_owned(),
            "/admin/tokens".to_owned(),
            "/admin/tokens?show=%3Cimg%20src=x%3E&before=%22%3E%3Cscript%3E".to_owned(),
            format!("/admin/tokens/{}/revoke", token.id),
            "/admin/account".to_owned(),
        ] {
            answers.push(admin.get(&page).await);
        }
        answers.push(editor.get("/admin/account").await);
        for (page, fields) in [
            ("/admin/users/new", [("name", QUOTE), ("role", "viewer"), ("new_password", QUOTE)]),
            ("/admin/users/new", [("name", IMAGE), ("role", QUOTE), ("new_password", QUOTE)]),
            (path.as_str(), [("version", QUOTE), ("role", IMAGE), ("disabled", QUOTE)]),
            ("/admin/tokens/new", [("name", QUOTE), ("days", IMAGE), ("scope", "read")]),
            ("/admin/tokens/new", [("name", IMAGE), ("days", QUOTE), ("scope", IMAGE)]),
            ("/admin/account/password", [("present_password", QUOTE), ("new_password", IMAGE), ("x", QUOTE)]),
        ] {
            answers.push(admin.post(page, &fields).await);
        }
        // What the page with the secret says of the host is the sender's word.
        let request = admin.request(Method::POST, "/admin/tokens/new").header("host", "a'><script>alert(1)");
        answers.push(admin.send(request.form(&[("name", "<b>bold</b>"), ("scope", "read")])).await);
        for answer in answers {
            for dangerous in ["<img", "<script>", "<b>", "\"><script", "a'&"] {
                assert!(!answer.has(dangerous), "{dangerous} in\n{}", answer.text());
            }
        }
    }
}

#[tokio::test]
async fn a_link_leads_to_a_web_page_or_is_none() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        for url in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " javascript:alert(1)",
            "data:text/html,<script>alert(1)</script>",
            "vbscript:x",
            "//evil.example",
            "https://a\"><script>alert(1)</script>",
        ] {
            let page = editor.post("/admin/components/new", &[("name", "a"), ("datasheet_url", url)]).await;
            assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{url}");
            assert!(!page.has("href=\"javascript"), "{url}");
        }
        assert_eq!(site.count().await, 0);
    }
}

#[tokio::test]
async fn nobody_is_led_away_after_they_signed_in() {
    for site in Site::each().await {
        let mut viewer = site.viewer().await;
        // More attempts than one name may make.
        let names = ["viewer", "editor", "admin"].into_iter().cycle();
        for (name, next) in names.zip([
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/admin/..//evil.example",
            "javascript:alert(1)",
            "/admin/\r\nx: y",
            "///evil.example",
            "https:evil.example",
            "http:///evil.example",
            "%2F%2Fevil.example",
            "/%09/evil.example",
            "/admin/\t//evil.example",
            "/admin@evil.example",
            "/admin.evil.example/",
            "\u{feff}//evil.example",
        ]) {
            let fields = [("name", name), ("password", PASSWORD), ("next", next)];
            let answer = site.stranger().post("/admin/sign-in", &fields).await;
            assert_eq!(
                (answer.status, answer.location().as_str()),
                (StatusCode::SEE_OTHER, "/admin/"),
                "{next:?}"
            );
            let answer = viewer.post("/admin/theme", &[("theme", "auto"), ("next", next)]).await;
            assert_eq!(answer.location(), "/admin/", "{next:?}");
            assert!(answer.headers.get("x").is_none());
            // Who is signed in already goes on at once.
            let page = crate::visitor::escaped(next);
            let answer = viewer.get(&format!("/admin/sign-in?next={page}")).await;
            assert_eq!(answer.location(), "/admin/", "{next:?}");
        }
        // Nor by a slash too many.
        for (path, status) in [
            ("/admin//evil.example/", StatusCode::NOT_FOUND),
            ("/admin/%0d%0ax:%20y/", StatusCode::PERMANENT_REDIRECT),
            ("/admin/..//evil.example/", StatusCode::NOT_FOUND),
        ] {
            let answer = viewer.get(path).await;
            assert_eq!(answer.status, status, "{path}");
            assert!(answer.headers.get("x").is_none());
            assert!(answer.headers.get("location").is_none_or(|to| to == "/admin/%0d%0ax:%20y"), "{path}");
        }
    }
}

#[tokio::test]
async fn a_made_up_session_or_notice_is_none() {
    for site in Site::each().await {
        let mut stranger = site.stranger();
        for secret in ["", "x", "%00", "admin", &"y".repeat(4000)] {
            let request = stranger
                .request(Method::GET, "/admin/")
                .header("cookie", format!("inventory_session={secret}"));
            assert_eq!(
                stranger.send(request.body(Body::empty()).unwrap()).await.status,
                StatusCode::SEE_OTHER
            );
        }
        let request =
            stranger.request(Method::GET, "/admin/sign-in").header("cookie", "inventory_notice=<b>deleted.x");
        let page = stranger.send(request.body(Body::empty()).unwrap()).await;
        assert!(!page.has("class=\"notice\""));
    }
}

#[tokio::test]
async fn a_form_that_comes_when_nobody_is_signed_in_is_kept_to_be_sent_again() {
    for site in Site::each().await {
        let fields = [("name", "typed"), ("notes", "at length")];
        let page = site.stranger().post("/admin/components/new", &fields).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED);
        page.assert_has(&[
            "name=\"name\" value=\"typed\"",
            "name=\"notes\" value=\"at length\"",
            "Sign in in a new tab",
        ]);
        assert_eq!(site.count().await, 0);
    }
}

#[tokio::test]
async fn a_form_that_is_too_long_is_refused() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        // Past the limit by what the other field takes.
        let notes = "x".repeat(1024 * 1024);
        let page = editor.post("/admin/components/new", &[("name", "a"), ("notes", &notes)]).await;
        assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", page.text());
        page.assert_has(&["Forms are limited to 1 MB"]);
        assert_eq!(site.count().await, 0);
    }
}
