//! What happened to a component, newest first: who, when, by which way, and field by field before and after.

use std::{collections::BTreeSet, sync::Arc};

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Html,
    routing::get,
};
use inventory_core::{Component, ComponentId, ComponentUpdated, Event, EventEnvelope, Field, Seq};
use inventory_store::{EventPage, Store};

use super::{
    draft::{Draft, text},
    form::label,
};
use crate::{
    Admin,
    actor_label::{by, importer, way},
    auth::SignedIn,
    failure::Failure,
    form_data::Parameters,
    format::Moment,
    layout::{Layout, Section},
    routes::Router,
};

/// How many events the page of a component shows, and each page of its history.
const PAGE: usize = 20;
/// How many events are looked through for a version that someone began with.
const LOOKED_THROUGH: usize = 200;

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new().route("/admin/components/{id}/history", get(history))
}

/// An event as people read it.
pub(crate) struct Entry {
    pub(crate) seq: Seq,
    pub(crate) what: &'static str,
    /// Whether its differences are what there was at first, and nothing that was another before.
    pub(crate) is_first: bool,
    pub(crate) who: String,
    pub(crate) way: &'static str,
    pub(crate) at: Moment,
    pub(crate) differences: Vec<Difference>,
}

/// A field before and after.
pub(crate) struct Difference {
    pub(crate) label: String,
    pub(crate) before: String,
    pub(crate) after: String,
}

/// Some of what happened to something.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) entries: Vec<Entry>,
    /// Where older events are.
    pub(crate) older: Option<String>,
}

impl History {
    /// The events of a component before a place.
    pub(super) async fn read(store: &Store, id: ComponentId, before: Option<Seq>) -> Result<Self, Failure> {
        Ok(Self::of(id, &store.history(id, before, PAGE).await?))
    }

    fn of(id: ComponentId, page: &EventPage) -> Self {
        let older = page.before.map(|before| format!("{}/history?before={before}", super::path(id)));
        Self { entries: page.events.iter().filter_map(entry).collect(), older }
    }
}

fn entry(event: &EventEnvelope) -> Option<Entry> {
    let (what, differences) = match &event.data {
        Event::ComponentCreated(created) => ("Created", filled(&created.component)),
        Event::ComponentUpdated(updated) => ("Changed", changed(updated)),
        Event::ComponentDeleted(_) => ("Deleted", Vec::new()),
        _ => return None,
    };
    let is_first = matches!(&event.data, Event::ComponentCreated(_));
    let (what, who) = match importer(&event.actor) {
        Some(name) if is_first => ("Imported", format!("by {name}")),
        _ => (what, by(&event.actor)),
    };
    Some(Entry {
        seq: event.seq,
        what,
        is_first,
        who,
        way: way(&event.actor),
        at: Moment(event.occurred_at),
        differences,
    })
}

/// The fields that a component began with.
pub(crate) fn filled(component: &Component) -> Vec<Difference> {
    let fields = Field::ALL.into_iter().map(|field| Difference {
        label: label(field).to_owned(),
        before: String::new(),
        after: text(component, field),
    });
    fields.filter(|difference| !difference.after.is_empty()).collect()
}

/// The fields that a change changed.
pub(crate) fn changed(ComponentUpdated { before, after, changed }: &ComponentUpdated) -> Vec<Difference> {
    changed
        .iter()
        .flat_map(|field| match field {
            Field::CustomFields => customs(&Draft::of(before), &Draft::of(after)),
            field => vec![Difference {
                label: label(*field).to_owned(),
                before: text(before, *field),
                after: text(after, *field),
            }],
        })
        .collect()
}

/// Of the custom fields, those that differ.
fn customs(before: &Draft, after: &Draft) -> Vec<Difference> {
    let names: BTreeSet<_> = before.customs.iter().chain(&after.customs).map(|custom| &custom.name).collect();
    let value = |draft: &Draft, name: &str| {
        draft.customs.iter().find(|custom| custom.name == name).map(|custom| custom.value.clone())
    };
    names
        .into_iter()
        .map(|name| (name, value(before, name), value(after, name)))
        .filter(|(_, before, after)| before != after)
        .map(|(name, before, after)| Difference {
            label: name.clone(),
            before: before.unwrap_or_default(),
            after: after.unwrap_or_default(),
        })
        .collect()
}

/// The component as it was at a version, as far back as its history is looked through.
pub(super) async fn at_version(
    store: &Store,
    id: ComponentId,
    version: u64,
) -> Result<Option<Arc<Component>>, Failure> {
    let page = store.history(id, None, LOOKED_THROUGH).await?;
    Ok(page.events.into_iter().find_map(|event| {
        let component = match event.data {
            Event::ComponentCreated(created) => created.component,
            Event::ComponentUpdated(updated) if updated.before.version == version => updated.before,
            Event::ComponentUpdated(updated) => updated.after,
            _ => return None,
        };
        (component.version == version).then_some(component)
    }))
}

#[derive(Template)]
#[template(path = "history_page.html")]
struct HistoryPage {
    layout: Layout,
    id: ComponentId,
    /// What the component is or was called.
    name: String,
    exists: bool,
    history: History,
}

async fn history(
    signed_in: SignedIn,
    State(store): State<Store>,
    Path(id): Path<String>,
    Parameters(fields): Parameters,
) -> Result<Html<String>, Failure> {
    let id = id.parse().map(ComponentId).map_err(|_| super::no_component())?;
    let before = fields.text("before").parse().ok().map(Seq);
    let history = store.history(id, before, PAGE).await?;
    let name = history.events.iter().find_map(|event| match &event.data {
        Event::ComponentCreated(created) => Some(created.component.name.to_string()),
        Event::ComponentUpdated(updated) => Some(updated.after.name.to_string()),
        Event::ComponentDeleted(deleted) => Some(deleted.component.name.to_string()),
        _ => None,
    });
    let page = HistoryPage {
        layout: signed_in.layout(Section::Components),
        id,
        name: name.ok_or_else(super::no_component)?,
        exists: store.component(id).await?.is_some(),
        history: History::of(id, &history),
    };
    Ok(Html(page.render()?))
}
