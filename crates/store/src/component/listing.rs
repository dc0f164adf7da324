//! Pages of components: conditions and places as SQL.
//!
//! A page begins at a place, not at a number of rows: `(key, id) > (…)` is one descent of an index however
//! far into the list it is, and rows that come and go elsewhere do not move it. Rows that themselves move in the
//! order are in [`stable_page`].

mod filtered_page;
mod order;
mod stable_page;

use inventory_core::Seq;
use sea_orm::DbBackend;

pub(crate) use self::order::Counting;
use self::{
    order::{in_list, limit, select_item, walked},
    stable_page::{MAX_WALK_EVENTS, Moved, can_move},
};

use crate::{
    component::{
        count,
        page::Page,
        query::{Column, PageCursor, PageStart, Query},
        read,
        row::StoredComponent,
    },
    db::{database::Database, sql::Sql},
    error::ReadError,
};

/// What the statement of a page answers: lines, in which JSON has no line ends.
struct Answer<'a> {
    /// The last event, at the same moment.
    head: u64,
    /// The rows that moved, wherever they were.
    moved: Vec<Moved>,
    /// The rows beyond the place that did not move.
    rows: std::str::Split<'a, char>,
}

impl<'a> Answer<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut lines = text.split('\n');
        let head = lines.next()?.parse().ok()?;
        let moved = match lines.next()? {
            "[]" => Vec::new(),
            moved => serde_json::from_str(moved).ok()?,
        };
        Some(Self { head, moved, rows: lines })
    }
}

/// The page that a query asks for.
pub(crate) async fn page(
    database: &Database,
    query: &Query,
    counting: Counting,
) -> Result<Page<StoredComponent>, ReadError> {
    let column = query.sort.column;
    let backwards = query.from.is_backwards();
    let Sql { text, binds, .. } = select(database.backend(), query, counting);
    let answer = database.hot.read(text, binds).await?;
    let (answer, total) = answer.ok_or_else(|| ReadError::Corrupt("a list has no answer".to_owned()))?;
    let read = Answer::read(&answer);
    let Answer { head, rows, moved } =
        read.ok_or_else(|| ReadError::Corrupt("the answer of a list".to_owned()))?;
    let from = query.from.place();
    let since = from.map_or(Seq(head), |place| place.since);
    // Nothing moves in these orders, so a walk through one may last as long as it likes.
    if can_move(column) && !(head.saturating_sub(MAX_WALK_EVENTS)..=head).contains(&since.0) {
        return Err(ReadError::Expired);
    }
    let rows = rows.map(StoredComponent::new);
    let mut items = if moved.is_empty() && !filtered_page::applies(query) {
        rows.map(Item::Row).collect()
    } else {
        in_order(rows, moved, query, since)?
    };
    // One row more than asked for tells whether there is a further page.
    let further = items.len() > query.limit;
    items.truncate(query.limit);
    if backwards {
        items.reverse();
    }
    let (more_after, more_before) = match query.from {
        PageStart::Start => (further, false),
        // Where a page was reached by a place, that place lies on the side it came from.
        PageStart::After(_) => (further, true),
        PageStart::Before(_) => (true, further),
    };
    let place = |item: Option<&Item>| item.map(|item| item.place(column, since)).transpose();
    Ok(Page {
        next: place(items.last().filter(|_| more_after))?,
        previous: place(items.first().filter(|_| more_before))?,
        items: stored(database, items).await?,
        total: u64::try_from(total).unwrap_or_default(),
    })
}

/// What a page has in one place.
enum Item {
    Row(StoredComponent),
    /// A component that moved, whose row is not read yet.
    Moved(PageCursor),
}

impl Item {
    fn place(&self, column: Column, since: Seq) -> Result<PageCursor, ReadError> {
        match self {
            Self::Row(row) => row.place(column, since),
            Self::Moved(place) => Ok(place.clone()),
        }
    }
}

/// Rows in no particular order and those that moved, in the order of the page.
fn in_order(
    rows: impl Iterator<Item = StoredComponent>,
    moved: Vec<Moved>,
    query: &Query,
    since: Seq,
) -> Result<Vec<Item>, ReadError> {
    let column = query.sort.column;
    let descending = query.sort.descending != query.from.is_backwards();
    let mut places = Vec::new();
    for row in rows {
        places.push((row.place(column, since)?, Item::Row(row)));
    }
    for moved in moved {
        let place = moved.place(column, since)?;
        if query.from.place().is_none_or(|from| place.is_beyond(from, descending)) {
            places.push((place.clone(), Item::Moved(place)));
        }
    }
    places.sort_by(|(one, _), (other, _)| one.order(other, descending));
    Ok(places.into_iter().map(|(_, item)| item).collect())
}

/// Reads the rows of a page that are not read yet. Components that were deleted in the meantime are left out.
async fn stored(database: &Database, items: Vec<Item>) -> Result<Vec<StoredComponent>, ReadError> {
    let missing = items.iter().filter_map(|item| match item {
        Item::Row(_) => None,
        Item::Moved(place) => Some(place.id.0),
    });
    let mut missing = read::by_id(database, missing.collect()).await?;
    let stored = items.into_iter().filter_map(|item| match item {
        Item::Row(row) => Some(row),
        Item::Moved(place) => missing.remove(&place.id.0),
    });
    Ok(stored.collect())
}

fn select(backend: DbBackend, query: &Query, counting: Counting) -> Sql {
    let mut sql = Sql::new(backend, String::new());
    let (line_end, join) = match backend {
        DbBackend::Sqlite => ("char(10)", "group_concat"),
        _ => ("chr(10)", "string_agg"),
    };
    let walked = walked(query);
    if let Some(place) = walked {
        sql.push("WITH ");
        stable_page::table(&mut sql, query.sort.column, place.since);
    }
    if filtered_page::applies(query) {
        sql.push(if walked.is_some() { ", " } else { "WITH " });
        filtered_page::tables(&mut sql, query);
    }
    sql.push(&format!(" SELECT (SELECT seq FROM event_head) || {line_end} || "));
    match walked {
        Some(_) => stable_page::select(&mut sql, query),
        None => sql.push("'[]'"),
    }
    // All rows in one text: the driver then hands over one value instead of a thousand.
    sql.push(&format!(" || coalesce({line_end} || {join}(item, {line_end}), ''), "));
    if filtered_page::applies(query) {
        filtered_page::total(&mut sql, query, counting);
    } else {
        sql.push(count::kept(backend));
    }
    sql.push(" FROM (");
    if filtered_page::applies(query) {
        filtered_page::rows(&mut sql, query);
    } else {
        select_item(&mut sql);
        sql.push(" FROM component WHERE true");
        in_list(&mut sql, query);
        limit(&mut sql, query);
    }
    sql.push(") AS page");
    sql
}
