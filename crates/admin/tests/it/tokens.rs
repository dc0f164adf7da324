//! API tokens, as people make and revoke them.

use axum::http::{StatusCode, header};
use inventory_core::{Actor, Scope};
use inventory_store::NewToken;
use time::Duration;

use crate::visitor::{Answer, Site};

const TOKENS: &str = "/admin/tokens";

/// The secret on the page that shows it.
fn secret(page: &Answer) -> String {
    let (_, rest) = page.text().split_once("id=\"secret\">").expect("the page shows a secret");
    rest.split('<').next().unwrap().to_owned()
}

/// Where the first token of a list is revoked.
fn revoke(list: &Answer) -> String {
    let (_, rest) = list.text().split_once("href=\"/admin/tokens/0").expect("the list has a token");
    format!("{TOKENS}/0{}", rest.split('"').next().unwrap())
}

#[tokio::test]
async fn a_token_is_shown_once_works_and_is_revoked_at_once() {
    for site in Site::each().await {
        let mut editor = site.editor().await;
        editor.get(TOKENS).await.assert_has(&["No active tokens"]);
        let blank = editor.get("/admin/tokens/new").await;
        blank.assert_has(&["value=\"write\"", "value=\"90\""]);
        assert!(!blank.has("value=\"admin\""), "no scope beyond the role is offered");
        let fields = [("name", "stock-sync"), ("scope", "read"), ("scope", "metrics"), ("days", "30")];
        let made = editor.post("/admin/tokens/new", &fields).await;
        assert_eq!(
            (made.status, &made.headers[header::CACHE_CONTROL]),
            (StatusCode::OK, &"no-store".parse().unwrap())
        );
        let secret = secret(&made);
        assert!(secret.starts_with("inv_"), "{secret}");
        made.assert_has(&[
            "Token created",
            "Name: stock-sync",
            "curl -H",
            "/api/v1/components?limit=1",
            "Permissions: read metrics",
        ]);
        assert_eq!(site.api(&secret).await, StatusCode::OK);
        let list = editor.get(TOKENS).await;
        list.assert_has(&["stock-sync", &secret[..8], "read metrics", "data-label=\"Expires\"><time"]);
        assert!(!list.has(&secret), "the secret is shown once");
        assert!(!list.has("Last used\"><span>never"), "it was used");
        let token = site.store.tokens().list().await.unwrap().pop().unwrap();
        assert_eq!(token.owner, Some(site.user("editor").await.id));
        let lasts = token.expires_at.unwrap() - token.created_at;
        assert!(lasts > Duration::days(29) && lasts <= Duration::days(30), "{lasts}");
        let path = revoke(&list);
        editor.get(&path).await.assert_has(&["Revoke stock-sync?", &secret[..8]]);
        assert_eq!(site.api(&secret).await, StatusCode::OK, "asking revokes nothing");
        editor.follow(&path, &[]).await.assert_has(&["Token revoked.", "No active tokens"]);
        assert_eq!(site.api(&secret).await, StatusCode::UNAUTHORIZED);
        editor.get(&format!("{TOKENS}?show=ended")).await.assert_has(&["stock-sync", "revoked <time"]);
        assert_eq!(editor.post(&path, &[]).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_token_is_told_beside_what_was_typed() {
    for site in Site::each().await {
        let mut viewer = site.viewer().await;
        for (fields, words) in [
            ([("name", " "), ("scope", "read"), ("days", "")], "The name must be 1 to 64 bytes"),
            (
                [("name", "a"), ("scope", "write"), ("days", "")],
                "Your role, viewer, does not allow the scope write",
            ),
            (
                [("name", "a"), ("scope", "admin"), ("days", "")],
                "Your role, viewer, does not allow the scope admin",
            ),
            ([("name", "a"), ("days", "1"), ("other", "")], "Choose at least one"),
            ([("name", "a"), ("scope", "read"), ("days", "0")], "Enter a number of days from 1 to 3650"),
            (
                [("name", "a"), ("scope", "read"), ("days", "for ever")],
                "Enter a number of days from 1 to 3650",
            ),
        ] {
            let page = viewer.post("/admin/tokens/new", &fields).await;
            assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields:?}");
            page.assert_has(&[words]);
            assert_eq!(page.field("name"), fields[0].1.trim());
        }
        assert!(site.store.tokens().list().await.unwrap().is_empty());
        let unknown = viewer.post("/admin/tokens/new", &[("name", "a"), ("scope", "everything")]).await;
        assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
        let good = [("name", "a"), ("scope", "read"), ("days", "")];
        viewer.post("/admin/tokens/new", &good).await.assert_has(&["Does not expire"]);
        let taken = viewer.post("/admin/tokens/new", &good).await;
        assert_eq!(taken.status, StatusCode::CONFLICT);
        taken.assert_has(&["There is a token named &#34;a&#34; already."]);
    }
}

#[tokio::test]
async fn people_see_and_revoke_their_own_and_administrators_all() {
    for site in Site::each().await {
        site.store.tokens().create(NewToken::new("nightly", [Scope::Read]), Actor::cli()).await.unwrap();
        let mut viewer = site.viewer().await;
        let fields = [("name", "mine"), ("scope", "read"), ("days", "")];
        let secret = secret(&viewer.post("/admin/tokens/new", &fields).await);
        let own = viewer.get(TOKENS).await;
        assert!(own.has("mine") && !own.has("nightly") && !own.has("Owner"));
        let path = revoke(&own);
        let mut editor = site.editor().await;
        assert!(!editor.get(TOKENS).await.has("mine"));
        for answer in [editor.get(&path).await, editor.post(&path, &[]).await] {
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
        }
        assert_eq!(site.api(&secret).await, StatusCode::OK);
        let mut admin = site.admin().await;
        admin.get(TOKENS).await.assert_has(&["mine", "nightly", ">operator<", ">viewer</a>"]);
        let user = admin.get(&format!("/admin/users/{}", site.user("viewer").await.id)).await;
        user.assert_has(&["mine", "API token created"]);
        admin.follow(&path, &[]).await.assert_has(&["Token revoked."]);
        assert_eq!(site.api(&secret).await, StatusCode::UNAUTHORIZED);
    }
}
