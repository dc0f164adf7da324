//! What happened to a user and what the user did at the door, newest first.

use std::fmt::Display;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Html,
    routing::get,
};
use inventory_core::{Event, Recorded, Seq, User, UserField, UserId, UserUpdated};
use inventory_store::Store;

use crate::{
    Admin,
    components::history::{Difference, Entry, History},
    failure::Failure,
    fields::Parameters,
    moment::Moment,
    routes::Router,
    session::Administrator,
    shell::{Section, Shell},
    who::{way, who},
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
    shell: Shell,
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
    let page = UserHistoryPage { shell: admin.shell(Section::Users), user, history };
    Ok(Html(page.render()?))
}

/// The events of a user before a place.
pub(super) async fn read(store: &Store, id: UserId, before: Option<Seq>) -> Result<History, Failure> {
    let page = store.user_history(id, before, PAGE).await?;
    let older = page.before.map(|before| format!("{}/history?before={before}", super::path(id)));
    Ok(History { entries: page.events.iter().filter_map(entry).collect(), older })
}

fn entry(event: &Recorded) -> Option<Entry> {
    let (what, differences) = match &event.data {
        Event::UserCreated(created) => ("Added", vec![fact("Role", created.user.role)]),
        Event::UserUpdated(updated) => ("Changed", changed(updated)),
        Event::UserDeleted(_) => ("Removed", Vec::new()),
        Event::UserSignedIn(signed_in) => ("Signed in", vec![fact("From", signed_in.address)]),
        Event::UserSignedOut(_) => ("A session was ended", Vec::new()),
        Event::SignInRefused(refused) => {
            let mut facts = vec![fact("From", refused.address), fact("Because", refused.reason.as_str())];
            facts.extend(refused.count.map(|count| fact("Times, with others of that minute", count)));
            ("Sign-in refused", facts)
        }
        Event::TokenCreated(created) => {
            let token = &created.token;
            ("API token made", vec![fact("Name", &token.name), fact("Scopes", &token.scopes)])
        }
        Event::TokenRevoked(revoked) => ("API token revoked", vec![fact("Name", &revoked.token.name)]),
        _ => return None,
    };
    Some(Entry {
        seq: event.seq,
        what,
        is_first: !matches!(&event.data, Event::UserUpdated(_)),
        who: who(&event.actor),
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
            Difference { label: "State".to_owned(), before: state(before), after: state(after) }
        }
        UserField::Preferences => fact("Theme or columns", "chosen anew"),
        UserField::Password => fact("Password", "set anew"),
    };
    changed.iter().map(difference).collect()
}
