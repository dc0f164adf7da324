//! The dates beside a list: from years to months to days, each with how many components it has, as links to the
//! list of these.
//!
//! It is a page by itself, because counting takes longer than the list; the list takes its part of it.

use std::fmt;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Html,
    routing::get,
};
use inventory_store::{Column, Period, Store};

use super::{
    chip, column,
    date_range::{Span, Unit},
    list_query::ListQuery,
};
use crate::{
    Admin,
    auth::SignedIn,
    failure::Failure,
    form_data::Parameters,
    format::Count,
    layout::{Layout, Section},
    routes::Router,
};

/// Where the dates of a column are.
const PATH: &str = "/admin/components/dates";
/// The columns that have dates.
const DATED: [Column; 2] = [Column::CreatedAt, Column::UpdatedAt];

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new().route("/admin/components/dates/{column}", get(dates))
}

/// A column of dates beside a list.
pub(super) struct Dated {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    /// Where its dates are.
    pub(super) address: String,
    /// Whether they are of interest before anyone asked for them.
    pub(super) first: bool,
}

/// What is offered beside a list.
pub(super) fn dated(asked: &ListQuery) -> [Dated; 2] {
    DATED.map(|column| Dated {
        name: column.as_str(),
        label: column::label(column),
        address: asked.beside(&format!("{PATH}/{}", column.as_str())),
        first: column == Column::CreatedAt || Span::of(asked, column).is_some(),
    })
}

#[derive(Template)]
#[template(path = "dates.html")]
struct DatesPage {
    layout: Layout,
    name: &'static str,
    label: &'static str,
    /// What the parts are parts of, widest first, each a link to its list.
    within: Vec<Part>,
    parts: Vec<Part>,
    list: String,
}

/// A part of a period.
struct Part {
    name: String,
    /// With a plus where there may be more.
    count: Option<String>,
    address: String,
    /// Whether the list is of exactly this.
    chosen: bool,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

async fn dates(
    signed_in: SignedIn,
    State(store): State<Store>,
    Path(name): Path<String>,
    Parameters(fields): Parameters,
) -> Result<Html<String>, Failure> {
    let column = DATED.into_iter().find(|column| column.as_str() == name);
    let column = column.ok_or(Failure::NotFound("This date filter does not exist.".to_owned()))?;
    let asked = ListQuery::read(&fields);
    let (gte, lte) = chip::bounds(column);
    let span = Span::of(&asked, column);
    let period = span.map_or(Period::All, Span::period);
    let counts = match asked.dropping(&gte).dropping(&lte).query() {
        Some(query) => store.dates(&query, column, period).await?,
        None => Vec::new(),
    };
    let part = |name: String, count, part: Span| {
        let (from, to) = part.bounds();
        let address = asked.link(&[(gte.as_str(), &from), (lte.as_str(), &to)]);
        Part { name, count, address, chosen: span == Some(part) }
    };
    let unit = match period {
        Period::All => Unit::Year,
        Period::Year(_) => Unit::Month,
        Period::Month(..) => Unit::Day,
    };
    let parts = counts.iter().map(|counted| {
        let day = counted.start;
        let name = match unit {
            Unit::Year => day.year().to_string(),
            Unit::Month => day.month().to_string(),
            Unit::Day => format!("{} {}", day.day(), day.month()),
        };
        let more = if counted.partial { "+" } else { "" };
        part(name, Some(format!("{}{more}", Count(counted.count))), Span::around(day, unit))
    });
    let parts = parts.collect();
    let mut within = Vec::new();
    if let Some(day) = span.map(Span::first).filter(|_| period != Period::All) {
        within.push(Part {
            name: "All years".to_owned(),
            count: None,
            address: asked.link(&[(gte.as_str(), ""), (lte.as_str(), "")]),
            chosen: false,
        });
        within.push(part(day.year().to_string(), None, Span::around(day, Unit::Year)));
        if unit == Unit::Day {
            within.push(part(day.month().to_string(), None, Span::around(day, Unit::Month)));
        }
    }
    let page = DatesPage {
        layout: signed_in.layout(Section::Components),
        name: column.as_str(),
        label: column::label(column),
        within,
        parts,
        list: asked.first(),
    };
    Ok(Html(page.render()?))
}
