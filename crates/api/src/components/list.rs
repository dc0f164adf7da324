//! `GET /api/v1/components`: pages of components.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use inventory_http::Problem;
use inventory_store::{
    Column, ComponentJson, Filter, Operator, Page, PageStart, Query, Search, Sort, Store, StoredComponent,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{
    cursor::{self, List},
    fields::{self, Fields, Selected, SelectedComponent},
    parameter::{self, DEFAULT_LIMIT, MAX_FILTER_CHARS, MAX_FILTER_VALUES, MAX_LIMIT, sortable},
    paths::COMPONENTS_PATH,
};
use crate::{
    authorized::{Authorized, Read},
    body,
    openapi::problems,
    parameters::{self, Parameters},
};

/// The order of creation: ids are UUIDs of version 7.
pub(super) const DEFAULT_SORT: Sort = Sort { column: Column::Id, descending: false };

/// A page of components.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ComponentPage)]
pub(super) struct Wire<'a> {
    /// The components, in the requested order.
    #[schema(value_type = Vec<SelectedComponent>)]
    items: Vec<Selected<'a, ComponentJson<'a>>>,
    /// The `cursor` of the next page; `null` on the last.
    #[schema(required)]
    next_cursor: Option<&'a str>,
    /// The `cursor` of the previous page; `null` on the first.
    #[schema(required)]
    previous_cursor: Option<&'a str>,
    /// The number of components on all pages that match the filters. With `q` it is counted up to 10,000,
    /// which means that many or more.
    total: u64,
}

problems!(ListProblems: InvalidParameter, InvalidCursor, CursorExpired, Unauthorized, InsufficientScope,
    Internal, Unavailable, Timeout);

/// List components
///
/// Pages are addressed by cursors, not by numbers: a component that exists throughout appears exactly once,
/// however many others are created and deleted between the pages. Filters are parameters named after fields;
/// a component must match all of them.
#[utoipa::path(
    get, path = COMPONENTS_PATH, operation_id = "listComponents", tag = "components",
    params(parameter::ListParameters),
    responses(
        (status = 200, description = "A page", body = Wire<'static>,
            headers(("Link" = String, description = "The pages `next`, `prev` and `first` (RFC 8288)"))),
        ListProblems,
    ),
)]
pub(super) async fn list(
    _caller: Authorized<Read>,
    State(store): State<Store>,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let asked = Asked::read(parameters)?;
    let page = store.stored_components(&asked.query).await?;
    asked.answer(page)
}

/// What was asked for, and what the links to other pages repeat.
struct Asked {
    query: Query,
    list: List,
    fields: Fields,
    /// The parameters but the cursor, as a query.
    link: String,
}

impl Asked {
    fn read(mut parameters: Parameters) -> Result<Self, Problem> {
        let mut link = String::new();
        let mut keep = |name: &str, value: Option<String>| {
            if let Some(value) = &value {
                parameters::append(&mut link, name, value);
            }
            value
        };
        let limit = limit(keep("limit", parameters.take("limit")).as_deref())?;
        let sort = sort(keep("sort", parameters.take("sort")).as_deref())?;
        let fields = Fields::parse(keep(fields::PARAMETER, parameters.take(fields::PARAMETER)).as_deref())?;
        let q = keep("q", parameters.take("q"));
        let search = search(q.as_deref())?;
        let cursor = parameters.take("cursor").unwrap_or_default();
        // By name, so that the same filters in another order are the same list.
        let mut conditions: Vec<_> = parameters.rest().collect();
        conditions.sort_unstable();
        let filters = conditions.iter().map(|(name, value)| filter(name, value)).collect::<Result<_, _>>()?;
        for (name, value) in &conditions {
            keep(name, Some(value.clone()));
        }
        conditions.extend(q.filter(|_| search.is_some()).map(|q| ("q".to_owned(), q)));
        let list = List { sort, filters: digest(&conditions) };
        let from = cursor::read(list, &cursor)?;
        Ok(Self { query: Query { filters, search, sort, from, limit }, list, fields, link })
    }

    fn answer(&self, page: Page<StoredComponent>) -> Result<Response, Problem> {
        let Page { items, next, previous, total } = page;
        let next = next.map(|place| cursor::after(self.list, place));
        let previous = previous.map(|place| cursor::before(self.list, place));
        let components = items.iter().map(StoredComponent::json).collect::<Result<Vec<_>, _>>()?;
        let wire = Wire {
            items: components.iter().map(|component| self.fields.of(component)).collect(),
            next_cursor: next.as_deref(),
            previous_cursor: previous.as_deref(),
            total,
        };
        let body = body::of(&wire, items.len())?;
        let first = (self.query.from != PageStart::Start).then_some("");
        let links = [("next", next.as_deref()), ("prev", previous.as_deref()), ("first", first)];
        let links: Vec<_> = links
            .into_iter()
            .filter_map(|(relation, cursor)| cursor.map(|cursor| self.link(relation, cursor)))
            .collect();
        let mut response = ([(header::CONTENT_TYPE, body::JSON)], body).into_response();
        if !links.is_empty() {
            // Cannot fail: everything in it is escaped.
            if let Ok(value) = HeaderValue::try_from(links.join(", ")) {
                response.headers_mut().insert(header::LINK, value);
            }
        }
        Ok(response)
    }

    fn link(&self, relation: &str, cursor: &str) -> String {
        let mut query = self.link.clone();
        if !cursor.is_empty() {
            parameters::append(&mut query, "cursor", cursor);
        }
        let mark = if query.is_empty() { "" } else { "?" };
        format!("<{COMPONENTS_PATH}{mark}{query}>; rel=\"{relation}\"")
    }
}

fn limit(text: Option<&str>) -> Result<usize, Problem> {
    let Some(text) = text else { return Ok(DEFAULT_LIMIT) };
    match text.parse() {
        Ok(limit @ 1..=MAX_LIMIT) => Ok(limit),
        _ => Err(Problem::parameter("limit", format!("must be an integer from 1 to {MAX_LIMIT}"))),
    }
}

fn search(text: Option<&str>) -> Result<Option<Search>, Problem> {
    Search::parse(text.unwrap_or_default()).map_err(|error| Problem::parameter("q", error.to_string()))
}

fn sort(text: Option<&str>) -> Result<Sort, Problem> {
    let Some(text) = text else { return Ok(DEFAULT_SORT) };
    let (name, descending) = match text.strip_prefix('-') {
        Some(name) => (name, true),
        None => (text, false),
    };
    match Column::named(name).filter(|column| column.sortable()) {
        Some(column) => Ok(Sort { column, descending }),
        None => Err(Problem::parameter(
            "sort",
            format!("must be one of these, with - before it for descending: {}", sortable().join(", ")),
        )),
    }
}

fn filter(name: &str, value: &str) -> Result<Filter, Problem> {
    let Some(filter) = Filter::parse(name, value) else {
        let known: Vec<_> = parameter::names().collect();
        let known: Vec<_> = known.iter().map(String::as_str).collect();
        return Err(parameters::unknown(name, &known));
    };
    let several = name.ends_with(Operator::In.suffix());
    let values: Vec<_> = if several { value.split(',').collect() } else { vec![value] };
    if values.len() > MAX_FILTER_VALUES {
        return Err(Problem::parameter(name, format!("must have at most {MAX_FILTER_VALUES} values")));
    }
    if values.iter().any(|value| value.chars().count() > MAX_FILTER_CHARS) {
        return Err(Problem::parameter(
            name,
            format!("must have at most {MAX_FILTER_CHARS} characters in a value"),
        ));
    }
    filter.map_err(|error| Problem::parameter(name, error.to_string()))
}

/// Tells lists with other conditions apart. It need not be secret, but it must be the same in every process.
fn digest(conditions: &[(String, String)]) -> u64 {
    let mut hash = Sha256::new();
    for (name, value) in conditions {
        hash.update(name);
        // Neither a name nor a value holds NUL.
        hash.update("\0");
        hash.update(value);
        hash.update("\0");
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest.first_chunk().copied().map_or(0, u64::from_be_bytes)
}
