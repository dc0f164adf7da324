//! What happened to a user and what the user did at the door, newest first.

use std::fmt::Display;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Html,
    routing::get,
};
use inventory_core::{Event, EventEnvelope, Seq, User, UserField, UserId, UserUpdated};
use inventory_store::Store;

use crate::{
    Admin,
    actor_label::{by, way},
    auth::Administrator,
    components::history::{Difference, Entry, History},
    failure::Failure,
    form_data::Parameters,
    format::Moment,
    layout::{Layout, Section},
    routes::Router,
};

/// How many events the page of a user shows, and each page of the history.
const PAGE: usize = 20;

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new().route("/admin/users/{id}/history", get(history))
}

#[derive(Template)]
#[template(path = "user_history.html")]
struct UserHistoryPage {
    layout: Layout,
    user: User,
    history: History,
}

async fn history(
    Administrator(admin): Administrator,
    State(store): State<Store>,
    Path(id): Path<String>,
    Parameters(fields): Parameters,
) -> Result<Html<String>, Failure> {
    let user = super::find(&store, &id).await?;
    let before = fields.text("before").parse().ok().map(Seq);
    let history = read(&store, user.id, before).await?;
    let page = UserHistoryPage { layout: admin.layout(Section::Users), user, history };
    Ok(Html(page.render()?))
}

/// The events of a user before a place.
pub(super) async fn read(store: &Store, id: UserId, before: Option<Seq>) -> Result<History, Failure> {
    let page = store.user_history(id, before, PAGE).await?;
    let older = page.before.map(|before| format!("{}/history?before={before}", super::path(id)));
    Ok(History { entries: page.events.iter().filter_map(entry).collect(), older })
}

fn entry(event: &EventEnvelope) -> Option<Entry> {
    let (what, differences) = match &event.data {
        Event::UserCreated(created) => ("Added", vec![fact("Role", created.user.role)]),
        Event::UserUpdated(updated) => ("Changed", changed(updated)),
        Event::UserDeleted(_) => ("Removed", Vec::new()),
        Event::UserSignedIn(signed_in) => ("Signed in", vec![fact("IP address", signed_in.address)]),
        Event::UserSignedOut(_) => ("Session ended", Vec::new()),
        Event::SignInRefused(refused) => {
            let reason = refused.reason.as_str();
            let mut facts = vec![fact("IP address", refused.address), fact("Reason", reason)];
            facts.extend(refused.count.map(|count| fact("Failed attempts in that minute", count)));
            ("Failed sign-in", facts)
        }
        Event::TokenCreated(created) => {
            let token = &created.token;
            ("API token created", vec![fact("Name", &token.name), fact("Scopes", &token.scopes)])
        }
        Event::TokenRevoked(revoked) => ("API token revoked", vec![fact("Name", &revoked.token.name)]),
        _ => return None,
    };
    let who = match &event.data {
        // Who did it is said by what happened.
        Event::UserSignedIn(_) | Event::SignInRefused(_) => String::new(),
        _ => by(&event.actor),
    };
    Some(Entry {
        seq: event.seq,
        what,
        is_first: !matches!(&event.data, Event::UserUpdated(_)),
        who,
        way: way(&event.actor),
        at: Moment(event.occurred_at),
        differences,
    })
}

fn fact(label: &str, value: impl Display) -> Difference {
    Difference { label: label.to_owned(), before: String::new(), after: value.to_string() }
}

fn changed(UserUpdated { before, after, changed }: &UserUpdated) -> Vec<Difference> {
    let state = |user: &User| if user.is_active() { "active" } else { "disabled" }.to_owned();
    let difference = |field: &UserField| match field {
        UserField::Role => Difference {
            label: "Role".to_owned(),
            before: before.role.to_string(),
            after: after.role.to_string(),
        },
        UserField::Disabled => {
            Difference { label: "Status".to_owned(), before: state(before), after: state(after) }
        }
        UserField::Preferences => fact("Theme or columns", "changed"),
        UserField::Password => fact("Password", "changed"),
    };
    changed.iter().map(difference).collect()
}
