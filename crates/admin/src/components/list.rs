//! The list of components.

use askama::Template;
use axum::{
    extract::State,
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use inventory_core::{Component, LogPosition, Preferences};
use inventory_store::{Page, Query, Store};

use super::{
    PATH,
    column::{self, Cell, ListColumn},
    cursor,
    dates::{self, Dated},
    export::{self, Format},
    filters,
    list_query::{LIMITS, ListQuery},
};
use crate::{
    Admin, address,
    auth::SignedIn,
    failure::Failure,
    form_data::{FormData, Parameters},
    format::Count,
    layout::{Layout, Section},
    routes::Router,
};

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new().route(PATH, get(list)).route("/admin/components/columns", post(columns))
}

#[derive(Template)]
#[template(path = "components.html")]
struct ListPage {
    layout: Layout,
    asked: ListQuery,
    /// Where the filters are.
    filters: String,
    dated: [Dated; 2],
    columns: Vec<ListColumn>,
    items: Vec<Component>,
    total: u64,
    next: Option<String>,
    previous: Option<String>,
    /// The last event before the list was read: what comes after it is news.
    since: LogPosition,
}

impl ListPage {
    /// What people hear who listen to the page.
    fn summary(&self) -> String {
        match (self.items.len(), self.total) {
            (0, _) => "No components match.".to_owned(),
            (shown, 1) => format!("Showing {shown} of 1 component."),
            (shown, _) => format!("Showing {shown} of {} components.", self.count()),
        }
    }

    /// How many there are, as far as they were counted.
    fn count(&self) -> String {
        let more = self.asked.narrows() && self.total >= Query::MAX_FOUND;
        format!("{}{}", Count(self.total), if more { "+" } else { "" })
    }

    fn exports(&self) -> [(&'static str, String); 2] {
        Format::ALL.map(|format| (format.label(), export::link(&self.asked, format)))
    }

    fn is_chosen(&self, column: &ListColumn) -> bool {
        self.columns.contains(column)
    }
}

async fn list(
    signed_in: SignedIn,
    State(store): State<Store>,
    Parameters(fields): Parameters,
) -> Result<Html<String>, Failure> {
    let asked = ListQuery::read(&fields);
    let since = store.position(store.bus().head()).await?;
    let Page { items, next, previous, total } = match asked.query() {
        Some(query) => store.browse(&query).await?,
        None => Page { items: Vec::new(), next: None, previous: None, total: 0 },
    };
    let layout = Layout {
        search: asked.search.clone(),
        keep: asked.pairs_but(&["q"]),
        ..signed_in.layout(Section::Components)
    };
    let page = ListPage {
        layout,
        filters: filters::address(&asked),
        dated: dates::dated(&asked),
        columns: column::chosen(&signed_in.user.preferences.columns),
        items,
        total,
        next: next.map(|next| asked.link(&[("after", &cursor::write(&next))])),
        previous: previous.map(|previous| asked.link(&[("before", &cursor::write(&previous))])),
        asked,
        since,
    };
    Ok(Html(page.render()?))
}

/// Remembers which columns someone wants to see.
async fn columns(
    signed_in: SignedIn,
    State(store): State<Store>,
    fields: FormData,
) -> Result<Response, Failure> {
    let columns = fields.all("column").filter(|name| column::columns().any(|column| column.name() == *name));
    let columns = if fields.has("reset") { Vec::new() } else { columns.map(str::to_owned).collect() };
    let preferences = Preferences { columns, ..signed_in.user.preferences.clone() };
    signed_in.prefer(&store, preferences).await?;
    Ok(Redirect::to(address::local(fields.text("next"))).into_response())
}
