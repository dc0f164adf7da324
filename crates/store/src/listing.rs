//! Pages of components: conditions and places as SQL.
//!
//! A page begins at a place, not at a number of rows: `(key, id) > (…)` is one descent of an index however
//! far into the list it is, and rows that come and go elsewhere do not move it. Rows that themselves move in the
//! order are in [`moved`].

mod found;
mod moved;

use inventory_core::{Component, Seq};
use sea_orm::DbBackend;
use serde::Deserialize;

use self::moved::{MAX_WALK_EVENTS, Moved, can_move};

use crate::{
    condition::{Sql, conditions, key_expression},
    count,
    database::Database,
    entity::component::{self, json_row},
    error::ReadError,
    query::{Column, From, Key, Page, Place, Query},
    read,
    reader::Bind,
};

/// What the statement of a page answers.
#[derive(Deserialize)]
struct Answer {
    /// The last event, at the same moment.
    head: u64,
    /// The rows beyond the place that did not move.
    rows: Vec<component::Model>,
    /// The rows that moved, wherever they were.
    moved: Vec<Moved>,
}

/// How far the components that meet the conditions are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counting {
    /// All of them, but for a search.
    All,
    /// At most [`Query::MAX_FOUND`], but where there are no conditions.
    SoFar,
}

/// The page that a query asks for.
pub(crate) async fn page(database: &Database, query: &Query, counting: Counting) -> Result<Page, ReadError> {
    let column = query.sort.column;
    let backwards = query.from.is_backwards();
    let Sql { text, binds, .. } = select(database.backend(), query, counting);
    let answer = database.hot.read(text, binds).await?;
    let (answer, total) = answer.ok_or_else(|| ReadError::Corrupt("a list has no answer".to_owned()))?;
    let Answer { head, rows, moved } =
        serde_json::from_str(&answer).map_err(|error| ReadError::Corrupt(error.to_string()))?;
    let from = query.from.place();
    let since = from.map_or(Seq(head), |place| place.since);
    // Nothing moves in these orders, so a walk through one may last as long as it likes.
    if can_move(column) && !(head.saturating_sub(MAX_WALK_EVENTS)..=head).contains(&since.0) {
        return Err(ReadError::Expired);
    }
    // In the order of the page; what moved has yet to be read.
    let mut places = Vec::with_capacity(rows.len() + moved.len());
    for row in rows {
        let item = Component::try_from(row)?;
        places.push((place(column, &item, since), Some(item)));
    }
    let descending = query.sort.descending != backwards;
    let disordered = !moved.is_empty() || found::applies(query);
    for moved in moved {
        let place = moved.place(column, since)?;
        if from.is_none_or(|from| place.is_beyond(from, descending)) {
            places.push((place, None));
        }
    }
    if disordered {
        places.sort_by(|(one, _), (other, _)| one.order(other, descending));
    }
    // One row more than asked for tells whether there is a further page.
    let further = places.len() > query.limit;
    places.truncate(query.limit);
    if backwards {
        places.reverse();
    }
    let (more_after, more_before) = match query.from {
        From::Start => (further, false),
        // Where a page was reached by a place, that place lies on the side it came from.
        From::After(_) => (further, true),
        From::Before(_) => (true, further),
    };
    Ok(Page {
        next: places.last().filter(|_| more_after).map(|(place, _)| place.clone()),
        previous: places.first().filter(|_| more_before).map(|(place, _)| place.clone()),
        items: items(database, places).await?,
        total: u64::try_from(total).unwrap_or_default(),
    })
}

/// The components at these places, of which some are yet to be read. What was deleted just now is left out.
async fn items(
    database: &Database,
    places: Vec<(Place, Option<Component>)>,
) -> Result<Vec<Component>, ReadError> {
    let missing = places.iter().filter(|(_, item)| item.is_none()).map(|(place, _)| place.id.0).collect();
    let rows = read::by_id(database, missing).await?;
    let mut items = Vec::with_capacity(places.len());
    for (place, item) in places {
        match item {
            Some(item) => items.push(item),
            None => items.extend(rows.get(&place.id.0).map(|row| read::component(row)).transpose()?),
        }
    }
    Ok(items)
}

/// The place from where a page of a list goes on in which components can move. On the first page nothing has
/// moved yet.
fn walked(query: &Query) -> Option<&Place> {
    query.from.place().filter(|_| can_move(query.sort.column))
}

fn select(backend: DbBackend, query: &Query, counting: Counting) -> Sql {
    let mut sql = Sql::new(backend, String::new());
    let walked = walked(query);
    if let Some(place) = walked {
        sql.push("WITH ");
        moved::table(&mut sql, query.sort.column, place.since);
    }
    if found::applies(query) {
        sql.push(if walked.is_some() { ", " } else { "WITH " });
        found::table(&mut sql, query);
    }
    sql.push(" SELECT '{\"head\":' || (SELECT seq FROM event_head) || ',\"moved\":' || ");
    match walked {
        Some(_) => moved::select(&mut sql, query),
        None => sql.push("'[]'"),
    }
    // All rows in one text: the driver then hands over one value instead of a thousand.
    let join = if backend == DbBackend::Sqlite { "group_concat" } else { "string_agg" };
    sql.push(&format!(" || ',\"rows\":[' || coalesce({join}(item, ','), '') || ']}}', "));
    if found::applies(query) {
        found::total(&mut sql, query, counting);
    } else {
        sql.push(count::kept(backend));
    }
    sql.push(" FROM (");
    if found::applies(query) {
        found::rows(&mut sql, query);
    } else {
        begin_rows(&mut sql);
        conditions(&mut sql, query);
        end_rows(&mut sql, query, &key_expression(query.sort.column), "id");
    }
    sql.push(") AS page");
    sql
}

fn begin_rows(sql: &mut Sql) {
    let row = json_row(sql.backend);
    sql.push(&format!("SELECT {row} AS item FROM component WHERE "));
}

/// The rest of the rows of a page: those beyond its place that did not move, in its order.
fn end_rows(sql: &mut Sql, query: &Query, key: &str, id: &str) {
    let descending = query.sort.descending != query.from.is_backwards();
    if let Some(place) = query.from.place() {
        sql.push(" AND ");
        after(sql, query.sort.column, place, descending, key, id);
    }
    if walked(query).is_some() {
        sql.push(&format!(" AND {id} NOT IN (SELECT moved_id FROM moved)"));
    }
    let direction = if descending { "DESC" } else { "ASC" };
    sql.push(&match query.sort.column {
        Column::Id => format!(" ORDER BY {id} {direction} LIMIT "),
        _ => format!(" ORDER BY {key} {direction}, {id} {direction} LIMIT "),
    });
    sql.bind(Bind::Integer(i64::try_from(query.limit).unwrap_or(i64::MAX - 1) + 1));
}

/// The rows behind a place in the order of the list.
fn after(sql: &mut Sql, column: Column, place: &Place, descending: bool, key: &str, id: &str) {
    let beyond = if descending { " < " } else { " > " };
    if column == Column::Id {
        sql.push(id);
        sql.push(beyond);
        sql.bind(Bind::Id(place.id.0));
        return;
    }
    sql.push(&format!("({key}, {id}){beyond}("));
    match &place.key {
        Key::Integer(integer) => sql.bind(Bind::Integer(*integer)),
        Key::Text(text) => sql.bind(Bind::Text(text.clone())),
    }
    sql.push(", ");
    sql.bind(Bind::Id(place.id.0));
    sql.push(")");
}

fn place(column: Column, item: &Component, since: Seq) -> Place {
    fn text(value: Option<&impl ToString>) -> Key {
        Key::Text(value.map(ToString::to_string).unwrap_or_default())
    }
    fn integer(value: u64) -> Key {
        Key::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
    let key = match column {
        Column::Id => Key::Text(String::new()),
        Column::Sku => text(item.sku.as_ref()),
        Column::Name => text(Some(&item.name)),
        Column::Description => text(Some(&item.description)),
        Column::Notes => text(Some(&item.notes)),
        Column::Manufacturer => text(item.manufacturer.as_ref()),
        Column::Mpn => text(item.mpn.as_ref()),
        Column::Barcode => text(item.barcode.as_ref()),
        Column::Unit => text(Some(&item.unit)),
        Column::MinQuantity => Key::Integer(item.min_quantity.micros()),
        Column::UnitCost => Key::Integer(item.unit_cost.map_or(-1, inventory_core::Amount::micros)),
        Column::Currency => text(item.currency.as_ref()),
        Column::DatasheetUrl => text(item.datasheet_url.as_ref()),
        Column::Tags => Key::Text(serde_json::to_string(&item.tags).unwrap_or_default()),
        Column::Status => Key::Text(item.status.as_str().to_owned()),
        Column::CreatedAt => Key::Integer(inventory_core::micros(item.created_at)),
        Column::CreatedBy => text(Some(&item.created_by)),
        Column::UpdatedAt => Key::Integer(inventory_core::micros(item.updated_at)),
        Column::UpdatedBy => text(Some(&item.updated_by)),
        Column::Version => integer(item.version),
    };
    Place { key, id: item.id, since }
}
