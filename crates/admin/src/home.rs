//! The first page: how many there are, what happened lately, and whether everything keeps up.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, response::Html, routing::get};
use inventory_core::{
    Component, ComponentCreated, ComponentDeleted, ComponentId, ComponentUpdated, Event, EventEnvelope,
};
use inventory_store::{Activity, Column, Filter, PageStart, Query, Sort, Store};

use crate::{
    Admin,
    actor_label::{by, importer},
    auth::SignedIn,
    chart::Chart,
    components,
    failure::Failure,
    format::{Count, Moment},
    layout::{Layout, Section},
    routes::Router,
};

/// How many days the chart has.
const DAYS: u16 = 28;
/// How many of the last changes are listed.
const RECENT: usize = 12;
/// How many events a subscriber may be behind and still be called up to date: what a burst leaves for a moment.
const LAG: u64 = 100;

/// The pages of this module.
pub(crate) fn router() -> Router<Admin> {
    Router::new().route("/admin/", get(home))
}

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    layout: Layout,
    total: u64,
    archived: u64,
    created: u64,
    deleted: u64,
    chart: Chart,
    days: Vec<Activity>,
    recent: Vec<Change>,
    subscribers: Vec<Health>,
    halted: bool,
    drift: i64,
}

/// One of the last changes.
struct Change {
    id: ComponentId,
    name: String,
    what: &'static str,
    /// The fields that were changed.
    fields: String,
    who: String,
    at: Moment,
    exists: bool,
}

/// How a subscriber does.
struct Health {
    name: &'static str,
    lag: u64,
    failed: u64,
}

impl Health {
    fn is_well(&self) -> bool {
        self.lag <= LAG && self.failed == 0
    }
}

async fn home(signed_in: SignedIn, State(store): State<Store>) -> Result<Html<String>, Failure> {
    let types = [ComponentCreated::TYPE, ComponentUpdated::TYPE, ComponentDeleted::TYPE];
    let recent = store.recent(&types, None, RECENT).await?;
    let days = store.activity(DAYS).await?;
    let bus = store.bus().stats();
    let stats = store.stats();
    let subscribers = bus.subscribers.iter().map(|stats| Health {
        name: stats.name,
        lag: stats.lag(bus.head),
        failed: stats.failed(),
    });
    let page = HomePage {
        layout: signed_in.layout(Section::Home),
        total: store.snapshot().await?.components,
        archived: archived(&store).await?,
        created: days.iter().map(|day| day.created).sum(),
        deleted: days.iter().map(|day| day.deleted).sum(),
        chart: Chart::new(&days),
        days,
        recent: recent.events.iter().filter_map(change).collect(),
        subscribers: subscribers.collect(),
        halted: stats.tailer_halted,
        drift: stats.count_drift,
    };
    Ok(Html(page.render()?))
}

/// How many are archived, as far as they are counted.
async fn archived(store: &Store) -> Result<u64, Failure> {
    let filter = Filter::parse("status", "archived").and_then(Result::ok);
    let query = Query {
        filters: filter.into_iter().collect(),
        search: None,
        sort: Sort { column: Column::Id, descending: true },
        from: PageStart::Start,
        limit: 1,
    };
    Ok(store.browse(&query).await?.total)
}

fn change(event: &EventEnvelope) -> Option<Change> {
    let (what, component, fields): (_, &Arc<Component>, _) = match &event.data {
        Event::ComponentCreated(created) => ("created", &created.component, String::new()),
        Event::ComponentUpdated(updated) => {
            let label = |field| components::inline(components::label(field));
            let labels: Vec<_> = updated.changed.iter().copied().map(label).collect();
            ("changed", &updated.after, labels.join(", "))
        }
        Event::ComponentDeleted(deleted) => ("deleted", &deleted.component, String::new()),
        _ => return None,
    };
    let (what, who) = match importer(&event.actor) {
        Some(name) if what == "created" => ("imported", format!("by {name}")),
        _ => (what, by(&event.actor)),
    };
    Some(Change {
        id: component.id,
        name: component.name.to_string(),
        what,
        fields,
        who,
        at: Moment(event.occurred_at),
        exists: what != "deleted",
    })
}
