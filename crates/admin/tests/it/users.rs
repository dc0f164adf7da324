//! Users, as administrators manage them.

use axum::http::StatusCode;
use inventory_core::{Actor, Role, Scope, Scopes};
use inventory_store::NewToken;

use crate::visitor::{PASSWORD, Site};

const USERS: &str = "/admin/users";
/// Another password than everybody's.
const OTHER: &str = "staple battery horse";

#[tokio::test]
async fn a_user_is_added_and_what_is_wrong_is_told_beside_what_was_typed() {
    for site in Site::each().await {
        let mut admin = site.admin().await;
        let list = admin.get(USERS).await;
        list.assert_has(&[
            ">editor</a>",
            ">viewer</a>",
            "not recently",
            "<td>admin</td>",
            "from the command line",
        ]);
        admin.get("/admin/users/new").await.assert_has(&["At least 12 characters", "also create, change"]);
        let attempt = |name: &'static str, password: &'static str, again: &'static str| {
            [("name", name), ("role", "editor"), ("new_password", password), ("new_password_again", again)]
        };
        for (fields, words) in [
            (attempt("Anna B", PASSWORD, PASSWORD), "The name must be lower-case letters"),
            (attempt("anna", "short", "short"), "must be at least 12 characters long, and this has 5."),
            (attempt("anna", PASSWORD, OTHER), "The passwords do not match."),
        ] {
            let page = admin.post("/admin/users/new", &fields).await;
            assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
            page.assert_has(&[words, "value=\"editor\" required checked"]);
            assert_eq!(page.field("name"), fields[0].1);
            assert!(!page.has(PASSWORD) && !page.has(OTHER), "a page tells a password");
        }
        let taken = admin.post("/admin/users/new", &attempt("viewer", PASSWORD, PASSWORD)).await;
        assert_eq!(taken.status, StatusCode::CONFLICT);
        taken.assert_has(&["There is a user named &#34;viewer&#34; already."]);
        let page = admin.follow("/admin/users/new", &attempt(" anna ", PASSWORD, PASSWORD)).await;
        page.assert_has(&["User added.", "<h1>anna</h1>", "Not seen recently", "by admin", "web admin"]);
        let anna = site.user("anna").await;
        assert_eq!((anna.role, anna.created_by.as_str()), (Role::Editor, "user:admin"));
        site.signed_in("anna").await.get("/admin/components/new").await.assert_has(&["New component"]);
    }
}

#[tokio::test]
async fn a_user_is_changed_and_a_stale_form_changes_nothing() {
    for site in Site::each().await {
        let mut admin = site.admin().await;
        let mut viewer = site.viewer().await;
        let id = site.user("viewer").await.id;
        let path = format!("{USERS}/{id}");
        let page = admin.get(&path).await;
        page.assert_has(&[
            "Last seen",
            "Sign out everywhere",
            "Signed in",
            "value=\"viewer\" required checked",
        ]);
        let version = page.field("version").to_owned();
        // Someone else is faster.
        let change = inventory_core::UserChange { role: Some(Role::Editor), ..Default::default() };
        site.store
            .users()
            .change(id, inventory_store::VersionPrecondition::Any, change, None, Actor::cli())
            .await
            .unwrap();
        let fields = [("version", version.as_str()), ("role", "viewer"), ("disabled", "1")];
        let stale = admin.post(&path, &fields).await;
        assert_eq!(stale.status, StatusCode::CONFLICT);
        stale.assert_has(&[
            "This user was changed from the command line in the meantime, so nothing was saved. The role is \
             now editor and the user is active",
            "value=\"viewer\" required checked",
            "name=\"disabled\" value=\"1\" checked",
        ]);
        let now = site.user("viewer").await;
        assert_eq!((now.role, now.disabled), (Role::Editor, false));
        // A password that is set in a stale form is not set either.
        let password =
            [("version", version.as_str()), ("new_password", OTHER), ("new_password_again", OTHER)];
        assert_eq!(admin.post(&format!("{path}/password"), &password).await.status, StatusCode::CONFLICT);
        assert_eq!(viewer.get("/admin/").await.status, StatusCode::OK, "their session goes on");
        let fields = [("version", stale.field("version")), ("role", "viewer"), ("disabled", "1")];
        admin.follow(&path, &fields).await.assert_has(&["Saved.", "<del>active</del> <ins>disabled</ins>"]);
        assert_eq!(viewer.get("/admin/").await.status, StatusCode::SEE_OTHER, "they are kept out at once");
        let page = admin.get(&path).await;
        let fields = [("version", page.field("version")), ("role", "viewer")];
        admin.follow(&path, &fields).await.assert_has(&["Saved."]);
        let page = admin.get(&path).await;
        let again = [("version", page.field("version")), ("role", "viewer")];
        admin.follow(&path, &again).await.assert_has(&["No changes to save."]);
        viewer = site.viewer().await;
        assert_eq!(viewer.get("/admin/").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn another_password_and_a_sign_out_everywhere_end_the_sessions() {
    for site in Site::each().await {
        let mut admin = site.admin().await;
        let mut viewer = site.viewer().await;
        let path = format!("{USERS}/{}", site.user("viewer").await.id);
        admin.follow(&format!("{path}/sign-out"), &[]).await.assert_has(&["1 session ended."]);
        assert_eq!(viewer.get("/admin/").await.status, StatusCode::SEE_OTHER);
        viewer = site.viewer().await;
        let page = admin.get(&path).await;
        let differ =
            [("version", page.field("version")), ("new_password", OTHER), ("new_password_again", "another")];
        let refused = admin.post(&format!("{path}/password"), &differ).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        refused.assert_has(&["The passwords do not match."]);
        let fields =
            [("version", page.field("version")), ("new_password", OTHER), ("new_password_again", OTHER)];
        let page = admin.follow(&format!("{path}/password"), &fields).await;
        page.assert_has(&["Password changed.", "<dt>Password</dt><dd><ins>changed</ins>"]);
        assert_eq!(viewer.get("/admin/").await.status, StatusCode::SEE_OTHER);
        let sign_in = |password| [("name", "viewer"), ("password", password)];
        let refused = site.stranger().post("/admin/sign-in", &sign_in(PASSWORD)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        let let_in = site.stranger().post("/admin/sign-in", &sign_in(OTHER)).await;
        assert_eq!(let_in.status, StatusCode::SEE_OTHER);
        let history = admin.get(&format!("{path}/history")).await;
        history.assert_has(&["Failed sign-in", "wrong password", "Session ended", "by admin", "Signed in"]);
        let own = format!("{USERS}/{}/password", site.user("admin").await.id);
        let own = admin.post(&own, &fields).await;
        assert_eq!(
            own.status,
            StatusCode::BAD_REQUEST,
            "one's own is set where the present one is asked for"
        );
    }
}

#[tokio::test]
async fn a_user_is_removed_with_their_sessions_and_tokens() {
    for site in Site::each().await {
        let mut admin = site.admin().await;
        let mut editor = site.editor().await;
        let user = site.user("editor").await;
        let new = NewToken {
            name: "sync".to_owned(),
            owner: Some(user.id),
            scopes: Scopes::of([Scope::Write]),
            expires_at: None,
        };
        let (_, secret) = site.store.tokens().create(new, Actor::cli()).await.unwrap();
        assert_eq!(site.api(&secret).await, StatusCode::OK);
        let path = format!("{USERS}/{}", user.id);
        let page = admin.get(&format!("{path}/delete")).await;
        page.assert_has(&["Remove editor?", "revokes their API token"]);
        let version = page.field("version").to_owned();
        editor.post("/admin/theme", &[("theme", "dark")]).await;
        let stale = admin.post(&format!("{path}/delete"), &[("version", &version)]).await;
        assert_eq!(stale.status, StatusCode::CONFLICT);
        stale.assert_has(&["This user was changed by editor in the meantime"]);
        let version = stale.field("version");
        let list = admin.follow(&format!("{path}/delete"), &[("version", version)]).await;
        list.assert_has(&["User removed."]);
        assert!(!list.has(">editor</a>"));
        assert_eq!(site.api(&secret).await, StatusCode::UNAUTHORIZED, "a removed user's token");
        assert_eq!(editor.get("/admin/").await.status, StatusCode::SEE_OTHER);
        assert_eq!(admin.get(&path).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    for site in Site::each().await {
        let mut admin = site.admin().await;
        let path = format!("{USERS}/{}", site.user("admin").await.id);
        let page = admin.get(&path).await;
        page.assert_has(&["This is you."]);
        let version = page.field("version");
        for fields in [
            vec![("version", version), ("role", "editor")],
            vec![("version", version), ("role", "admin"), ("disabled", "1")],
        ] {
            let refused = admin.post(&path, &fields).await;
            assert_eq!(refused.status, StatusCode::CONFLICT);
            refused
                .assert_has(&["This is the last administrator who is not disabled; make another one first."]);
        }
        let refused = admin.post(&format!("{path}/delete"), &[("version", version)]).await;
        assert_eq!(refused.status, StatusCode::CONFLICT);
        refused.assert_has(&["This is the last administrator"]);
        assert_eq!(admin.get(USERS).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn who_is_no_administrator_sees_no_way_to_the_users_and_finds_none() {
    for site in Site::each().await {
        let path = format!("{USERS}/{}", site.user("viewer").await.id);
        for name in ["viewer", "editor"] {
            let mut visitor = site.signed_in(name).await;
            let home = visitor.get("/admin/").await;
            assert!(!home.has(USERS));
            home.assert_has(&["/admin/tokens", "/admin/account"]);
            for page in
                [USERS, "/admin/users/new", &path, &format!("{path}/delete"), &format!("{path}/history")]
            {
                let refused = visitor.get(page).await;
                assert_eq!(refused.status, StatusCode::FORBIDDEN, "{page}");
                refused.assert_has(&["Only administrators can do this."]);
            }
            let promoted = visitor.post(&path, &[("version", "1"), ("role", "admin")]).await;
            assert_eq!(promoted.status, StatusCode::FORBIDDEN);
        }
        assert_eq!(site.user("viewer").await.version, 1);
    }
}

#[tokio::test]
async fn many_users_come_in_pages() {
    let site = Site::on(crate::database::TestDatabase::sqlite()).await;
    let password = inventory_store::Password::new(PASSWORD).unwrap();
    for number in 0..101 {
        let name = format!("user{number:03}").parse().unwrap();
        site.store.users().create(name, Role::Viewer, password.clone(), Actor::cli()).await.unwrap();
    }
    let mut admin = site.admin().await;
    let first = admin.get(USERS).await;
    first.assert_has(&["<span class=\"total\">104</span>", ">admin</a>", "?after=user097"]);
    assert!(!first.has(">user098</a>"));
    let second = admin.get(&format!("{USERS}?after=user097")).await;
    second.assert_has(&[">user098</a>", ">user100</a>", ">viewer</a>", "First page"]);
    assert!(!second.has("Next"));
}
