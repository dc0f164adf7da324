//! Users, sessions, and what they open.

use std::{sync::Arc, time::Duration};

use inventory_core::{Actor, Clock, Event, Role, Scope, Scopes, Seq, User, UserChange, UserField};
use inventory_store::{
    Config, NewPassword, NewToken, Password, Session, SessionSelector, SignIn, SignInError, Store,
    UserConflict, UserNameTaken, UserNotFound, VersionPrecondition, WriteError,
};
use time::OffsetDateTime;

use crate::database::{TestDatabase, assert_sound, on_both};

const PASSWORD: &str = "correct horse battery";

fn password(text: &str) -> Password {
    Password::new(text).unwrap()
}

async fn add(store: &Store, name: &str, role: Role) -> Arc<User> {
    store.users().create(name.parse().unwrap(), role, password(PASSWORD), Actor::cli()).await.unwrap()
}

fn attempt<'a>(name: &'a str, password: &'a str) -> SignIn<'a> {
    SignIn { name, password, address: "192.0.2.7".parse().unwrap(), agent: "a browser", known_browser: false }
}

fn conflict<T: std::fmt::Debug, C: std::fmt::Debug>(outcome: Result<T, WriteError<C>>) -> C {
    match outcome {
        Err(WriteError::Conflict(conflict)) => conflict,
        other => panic!("{other:?}"),
    }
}

async fn types(store: &Store) -> Vec<String> {
    let log = store.bus().subscribe_after("test", Seq(0));
    let head = store.snapshot().await.unwrap().head;
    let mut log = log;
    let mut types = Vec::new();
    while log.position() <= head {
        types.push(log.next().await.unwrap().unwrap().data.type_name().to_owned());
    }
    types
}

async fn store_at(database: &TestDatabase, clock: &Clock) -> Store {
    Store::open(Config { clock: clock.clone(), ..database.config() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_a_user_is_one_event() {
    on_both(|database| async {
        let store = database.open().await;
        let admin = add(&store, "root", Role::Admin).await;
        let anna = add(&store, "anna", Role::Viewer).await;
        let again =
            store.users().create(anna.name.clone(), Role::Admin, password(PASSWORD), Actor::cli()).await;
        assert_eq!(conflict(again), UserNameTaken(anna.name.clone()));

        let promote = UserChange { role: Some(Role::Editor), ..UserChange::default() };
        let by = Actor::user(&admin.name);
        let change = |expected| store.users().change(anna.id, expected, promote.clone(), None, by.clone());
        let promoted = change(VersionPrecondition::version(1)).await.unwrap();
        assert_eq!((promoted.role, promoted.version), (Role::Editor, 2));
        assert_eq!(promoted.updated_by.as_str(), "user:root");
        let UserConflict::Stale(current) = conflict(change(VersionPrecondition::version(1)).await) else {
            panic!()
        };
        assert_eq!(current, promoted);
        // The same again is no change, no version and no event.
        assert_eq!(change(VersionPrecondition::Any).await.unwrap(), promoted);
        assert_eq!(store.users().find(anna.id).await.unwrap().as_ref(), Some(&*promoted));

        let deleted =
            store.users().delete(anna.id, VersionPrecondition::version(2), by.clone()).await.unwrap();
        assert_eq!(deleted, promoted);
        assert_eq!(conflict(change(VersionPrecondition::Any).await), UserConflict::NotFound(UserNotFound));
        let names: Vec<_> =
            store.users().list().await.unwrap().into_iter().map(|user| user.name.to_string()).collect();
        assert_eq!(names, ["root"]);
        assert_eq!(types(&store).await, ["user.created", "user.created", "user.updated", "user.deleted"]);
        assert_sound(&store, 0, 4).await;
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_change_leaves_nobody_who_can_let_others_in() {
    on_both(|database| async {
        let stores = [database.open().await, database.open().await];
        let (one, two) =
            (add(&stores[0], "one", Role::Admin).await, add(&stores[0], "two", Role::Admin).await);
        let demote = UserChange { role: Some(Role::Editor), ..UserChange::default() };
        // Each demotes the other at the same moment, from a separate process.
        let (first, second) = tokio::join!(
            stores[0].users().change(one.id, VersionPrecondition::Any, demote.clone(), None, Actor::cli()),
            stores[1].users().change(two.id, VersionPrecondition::Any, demote.clone(), None, Actor::cli()),
        );
        let refused: Vec<_> = [first, second].into_iter().filter(Result::is_err).collect();
        let [refused] = <[_; 1]>::try_from(refused).expect("one of the two is refused");
        assert_eq!(conflict(refused), UserConflict::LastAdmin);
        let admins = stores[0].users().list().await.unwrap();
        let last = admins.iter().find(|user| user.role == Role::Admin).unwrap();
        let disable = UserChange { disabled: Some(true), ..UserChange::default() };
        let disabled =
            stores[0].users().change(last.id, VersionPrecondition::Any, disable, None, Actor::cli()).await;
        assert_eq!(conflict(disabled), UserConflict::LastAdmin);
        let deleted = stores[0].users().delete(last.id, VersionPrecondition::Any, Actor::cli()).await;
        assert_eq!(conflict(deleted), UserConflict::LastAdmin);
        for store in stores {
            store.close().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_knows_the_password_signs_in_and_nobody_else() {
    on_both(|database| async {
        let store = database.open().await;
        let anna = add(&store, "anna", Role::Editor).await;
        for (name, password) in [("anna", "wrong"), ("nobody", PASSWORD), ("Not A Name", PASSWORD), ("", "")]
        {
            let refused = store.sessions().sign_in(attempt(name, password)).await;
            assert!(matches!(refused, Err(SignInError::Refused)), "{name} {password}: {refused:?}");
        }
        let signed_in = store.sessions().sign_in(attempt("anna", PASSWORD)).await.unwrap();
        let session = store.sessions().find(&signed_in.secret).await.unwrap().unwrap();
        assert_eq!((session.id, &*session.user), (signed_in.session.id, &*anna));
        assert_eq!(
            (session.address.to_string().as_str(), session.agent.as_str()),
            ("192.0.2.7", "a browser")
        );
        assert!(store.sessions().knows_browser(&anna.name, session.id).await.unwrap());
        for wrong in ["", "wrong", &signed_in.secret[1..]] {
            assert_eq!(store.sessions().find(wrong).await.unwrap(), None);
        }
        assert_eq!(
            store
                .sessions()
                .sign_out(anna.id, SessionSelector::One(session.id), Actor::user(&anna.name))
                .await
                .unwrap(),
            1
        );
        assert_eq!(store.sessions().find(&signed_in.secret).await.unwrap(), None);
        assert!(
            store.sessions().knows_browser(&anna.name, session.id).await.unwrap(),
            "also after the session"
        );
        let told =
            ["user.created", "sign_in.refused", "sign_in.refused", "sign_in.refused", "sign_in.refused"];
        assert_eq!(types(&store).await, [&told[..], &["user.signed_in", "user.signed_out"]].concat());
        assert_sound(&store, 0, 7).await;
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_it_is_not_used_and_when_it_has_lasted() {
    on_both(|database| async {
        let start = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let clock = Clock::fixed(start);
        let store = store_at(database, &clock).await;
        add(&store, "anna", Role::Editor).await;
        let begin = async || store.sessions().sign_in(attempt("anna", PASSWORD)).await.unwrap().secret;
        let (idle, used) = (begin().await, begin().await);
        let mut at = start;
        // Used every eleven hours, one of them lasts a week.
        let step = Session::IDLE.checked_sub(Duration::from_hours(1)).unwrap();
        while at + step < start + Session::LIFETIME {
            at += step;
            clock.set(at);
            let seen = store.sessions().find(&used).await.unwrap().expect("it is used");
            // What was seen is written down behind our back.
            while store.sessions().find(&used).await.unwrap().unwrap().seen_at < at {
                tokio::task::yield_now().await;
            }
            assert_eq!(
                store.sessions().list(&seen.user).await.unwrap().len(),
                if at == start + step { 2 } else { 1 }
            );
        }
        assert_eq!(store.sessions().find(&idle).await.unwrap(), None, "nobody used it");
        clock.set(start + Session::LIFETIME);
        assert_eq!(store.sessions().find(&used).await.unwrap(), None, "it has lasted a week");
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_ends_all_sessions_but_the_one_in_which_it_is_set() {
    on_both(|database| async {
        let store = database.open().await;
        let anna = add(&store, "anna", Role::Viewer).await;
        let begin = async || store.sessions().sign_in(attempt("anna", PASSWORD)).await.unwrap();
        let (here, there) = (begin().await, begin().await);
        let new = NewPassword { password: password("another horse battery"), keep: Some(here.session.id) };
        let by = Actor::user(&anna.name);
        let changed = store
            .users()
            .change(anna.id, VersionPrecondition::Any, UserChange::default(), Some(new), by)
            .await
            .unwrap();
        assert_eq!(changed.version, 2);
        assert!(store.sessions().find(&here.secret).await.unwrap().is_some());
        assert_eq!(store.sessions().find(&there.secret).await.unwrap(), None);
        assert!(matches!(
            store.sessions().sign_in(attempt("anna", PASSWORD)).await,
            Err(SignInError::Refused)
        ));
        assert!(store.sessions().sign_in(attempt("anna", "another horse battery")).await.is_ok());
        let log = store.bus().subscribe_after("test", Seq(3));
        let mut log = log;
        let Event::UserUpdated(updated) = log.next().await.unwrap().unwrap().data else { panic!() };
        assert_eq!(updated.changed, [UserField::Password]);
        assert!(matches!(log.next().await.unwrap().unwrap().data, Event::UserSignedOut(_)));
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_may_no_longer_do_is_refused_at_once_in_every_process() {
    on_both(|database| async {
        let here = database.open().await;
        let there = database.open().await;
        add(&here, "root", Role::Admin).await;
        let anna = add(&here, "anna", Role::Editor).await;
        let token =
            NewToken { owner: Some(anna.id), scopes: Scopes::of([Scope::Admin]), ..NewToken::new("t", []) };
        let (_, secret) = here.tokens().create(token, Actor::user(&anna.name)).await.unwrap();
        let session = here.sessions().sign_in(attempt("anna", PASSWORD)).await.unwrap().secret;
        let may = async |scope| {
            there.tokens().authenticate(&secret).await.unwrap().is_some_and(|found| found.may(scope))
        };
        // No more than its owner may, whatever its scopes.
        assert!(may(Scope::Write).await && !may(Scope::Admin).await);

        let change = async |change| {
            here.users().change(anna.id, VersionPrecondition::Any, change, None, Actor::cli()).await.unwrap();
        };
        change(UserChange { role: Some(Role::Viewer), ..UserChange::default() }).await;
        assert!(may(Scope::Read).await && !may(Scope::Write).await);
        assert_eq!(there.sessions().find(&session).await.unwrap().unwrap().user.role, Role::Viewer);

        change(UserChange { disabled: Some(true), ..UserChange::default() }).await;
        assert!(!may(Scope::Read).await);
        assert_eq!(there.sessions().find(&session).await.unwrap(), None);
        assert!(matches!(
            there.sessions().sign_in(attempt("anna", PASSWORD)).await,
            Err(SignInError::Refused)
        ));

        change(UserChange { disabled: Some(false), ..UserChange::default() }).await;
        // The log tells the other process; until then it refuses, which is the safe side.
        while !may(Scope::Read).await {
            tokio::task::yield_now().await;
        }
        assert_eq!(there.sessions().find(&session).await.unwrap(), None, "an ended session stays ended");
        here.users().delete(anna.id, VersionPrecondition::Any, Actor::cli()).await.unwrap();
        assert_eq!(there.tokens().authenticate(&secret).await.unwrap(), None);
        assert!(here.tokens().list().await.unwrap().iter().all(|token| token.revoked_at.is_some()));
        let report = here.check().await.unwrap();
        assert_eq!(report.violations, Vec::<String>::new());
        here.close().await;
        there.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_expires_by_itself_and_tells_when_it_was_used() {
    on_both(|database| async {
        let start = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let clock = Clock::fixed(start);
        let store = store_at(database, &clock).await;
        let expires_at = Some(start + Duration::from_hours(1));
        let new = NewToken { expires_at, ..NewToken::new("short", [Scope::Read]) };
        let (token, secret) = store.tokens().create(new, Actor::cli()).await.unwrap();
        assert!(secret.starts_with(&token.hint) && token.hint.len() == 8);
        assert!(store.tokens().last_used().await.unwrap().is_empty());
        assert!(store.tokens().authenticate(&secret).await.unwrap().is_some());
        clock.set(start + Duration::from_mins(59));
        assert!(store.tokens().authenticate(&secret).await.unwrap().is_some());
        clock.set(start + Duration::from_hours(1));
        assert_eq!(store.tokens().authenticate(&secret).await.unwrap(), None);
        store.close().await;
        // Also what was not written down when the store was closed.
        let store = store_at(database, &clock).await;
        assert_eq!(store.tokens().last_used().await.unwrap()[&token.id], start + Duration::from_mins(59));
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_or_token_that_was_changed_past_the_service_is_named() {
    use sea_orm::ConnectionTrait as _;
    on_both(|database| async {
        let store = database.open().await;
        add(&store, "anna", Role::Viewer).await;
        store.tokens().create(NewToken::new("ci", [Scope::Read]), Actor::cli()).await.unwrap();
        let shell = database.shell().await;
        shell.execute_unprepared("UPDATE user_account SET role = 'admin'").await.unwrap();
        shell.execute_unprepared("UPDATE token SET scopes = 'admin'").await.unwrap();
        let report = store.check().await.unwrap();
        let named = |what: &str| report.violations.iter().any(|violation| violation.contains(what));
        assert!(
            named("user anna is not as its last event") && named("token \"ci\" is not as its last event"),
            "{report:?}"
        );
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_a_user_tells_of_sessions_refusals_and_tokens_and_of_nobody_else() {
    on_both(|database| async {
        let store = database.open().await;
        let anna = add(&store, "anna", Role::Editor).await;
        add(&store, "bert", Role::Admin).await;
        let first = store.sessions().sign_in(attempt("anna", PASSWORD)).await.unwrap().session;
        store.sessions().sign_in(attempt("anna", "a guess")).await.unwrap_err();
        store.sessions().sign_in(attempt("bert", "a guess")).await.unwrap_err();
        store.sessions().sign_in(attempt("nobody", "a guess")).await.unwrap_err();
        store.sessions().sign_in(attempt("bert", PASSWORD)).await.unwrap();
        for (name, owner) in [("annas", Some(anna.id)), ("nobodys", None)] {
            let scopes = Scopes::of([Scope::Read]);
            let new = NewToken { name: name.to_owned(), owner, scopes, expires_at: None };
            store.tokens().create(new, Actor::user(&anna.name)).await.unwrap();
        }
        store
            .sessions()
            .sign_out(anna.id, SessionSelector::One(first.id), Actor::user(&anna.name))
            .await
            .unwrap();
        let told = async |before, limit| {
            let page = store.user_history(anna.id, before, limit).await.unwrap();
            let types: Vec<_> = page.events.iter().map(|event| event.data.type_name().to_owned()).collect();
            (types, page.before)
        };
        let all = ["user.signed_out", "token.created", "sign_in.refused", "user.signed_in", "user.created"];
        let (types, before) = told(None, 10).await;
        assert_eq!((types.as_slice(), before), (all.map(str::to_owned).as_slice(), None));
        // The same in pages.
        let (start, before) = told(None, 2).await;
        let (middle, before) = told(before, 2).await;
        let (end, before) = told(before, 2).await;
        assert_eq!(([start, middle, end].concat(), before), (types, None));
        // Who signed in was seen.
        let seen = store.sessions().last_seen().await.unwrap();
        assert!(seen.len() == 2 && seen.contains_key(&anna.id), "{seen:?}");
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_a_users_or_not() {
    on_both(|database| async {
        let store = database.open().await;
        let anna = add(&store, "anna", Role::Editor).await;
        assert!(store.users().verify_password(anna.id, PASSWORD).await.unwrap());
        assert!(!store.users().verify_password(anna.id, "a guess").await.unwrap());
        assert!(!store.users().verify_password(inventory_core::UserId::generate(), PASSWORD).await.unwrap());
        store.close().await;
    })
    .await;
}
