//! The order of a list and the place where a page begins, as SQL.

use super::stable_page::can_move;
use crate::{
    component::{
        condition::key_expression,
        query::{Column, Key, PageCursor, Query},
    },
    db::{Bind, sql::Sql},
    entity::component::json_row,
};

/// How far the components that meet the conditions are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counting {
    /// All of them, but for a search.
    All,
    /// At most [`Query::MAX_FOUND`], but where there are no conditions.
    SoFar,
}

/// The place from where a page of a list goes on in which components can move. On the first page nothing has
/// moved yet.
pub(super) fn walked(query: &Query) -> Option<&PageCursor> {
    query.from.place().filter(|_| can_move(query.sort.column))
}

pub(super) fn select_item(sql: &mut Sql) {
    let row = json_row(sql.backend);
    sql.push(&format!("SELECT {row} AS item"));
}

/// The components beyond the place of the page that did not move, in its order.
pub(super) fn in_list(sql: &mut Sql, query: &Query) {
    in_order_by(sql, query, &key_expression(query.sort.column), "id");
}

/// The same, of a table that has the value by which components are sorted, and their id, in these columns.
pub(super) fn in_order_by(sql: &mut Sql, query: &Query, key: &str, id: &str) {
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
        Column::Id => format!(" ORDER BY {id} {direction}"),
        _ => format!(" ORDER BY {key} {direction}, {id} {direction}"),
    });
}

/// As many as the page has, and one more.
pub(super) fn limit(sql: &mut Sql, query: &Query) {
    sql.push(" LIMIT ");
    sql.bind(rows_wanted(query));
}

pub(super) fn rows_wanted(query: &Query) -> Bind {
    Bind::Integer(i64::try_from(query.limit).unwrap_or(i64::MAX - 1) + 1)
}

/// The rows behind a place in the order of the list.
fn after(sql: &mut Sql, column: Column, place: &PageCursor, descending: bool, key: &str, id: &str) {
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
