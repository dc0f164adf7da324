//! Pages of a list that a search or filters narrow.
//!
//! The search index does not store the order of the list. So the matches are gathered first, with their sort
//! values, up to a number that is quick to count and sort. If there are more matches, they are frequent, so
//! the list is scanned in its order instead, and a page soon fills up, unless the matches come late in that
//! order.

use sea_orm::DbBackend;

use super::order::{Counting, in_list, in_order_by, limit, rows_wanted, select_item};
use crate::{
    component::{
        condition::{conditions, filters, from_component, key_expression},
        query::Query,
        search::Search,
        search_index,
    },
    db::sql::Sql,
};

const MAX_FOUND: u64 = Query::MAX_FOUND;
/// How many components SQLite looks at in the order of the list before it gathers all that are found instead.
/// Either takes some milliseconds.
const LOOKED_AT: i64 = 2_000;

/// The table `found` of the components that meet the conditions, or of one more than are counted. A search without
/// filters reads no component where it finds more than are counted: `found` then is empty, and `hit` has its rows.
pub(super) fn tables(sql: &mut Sql, query: &Query) {
    let key = key_expression(query.sort.column);
    let found = format!("found AS MATERIALIZED (SELECT id AS found_id, {key} AS found_key");
    if let Some(search) = hits(query) {
        sql.push("hit AS MATERIALIZED (SELECT found_row FROM (");
        search_index::found_rows(sql, search);
        sql.push(&format!(") AS found_by_text LIMIT {}), {found} FROM hit", MAX_FOUND + 1));
        search_index::join_component(sql, true);
        sql.push(&format!(" WHERE NOT ({}))", many(query)));
    } else {
        sql.push(&found);
        from_component(sql, query, true);
        sql.push(&format!(" LIMIT {})", MAX_FOUND + 1));
    }
    if sql.backend == DbBackend::Sqlite {
        sql.push(", near AS MATERIALIZED (");
        near(sql, query);
        sql.push(")");
    }
}

/// The search, where it is all that is asked for.
fn hits(query: &Query) -> Option<&Search> {
    query.search.as_ref().filter(|_| query.filters.is_empty())
}

/// Whether more is found than are counted.
fn many(query: &Query) -> String {
    let counted = if hits(query).is_some() { "hit" } else { "found" };
    format!("(SELECT count(*) FROM {counted}) > {MAX_FOUND}")
}

/// Whether a list is gathered so: where anything less than everything is asked for.
pub(super) fn applies(query: &Query) -> bool {
    query.search.is_some() || !query.filters.is_empty()
}

/// How many are found: of a search as far as they are counted, of filters all of them where all are wanted.
pub(super) fn total(sql: &mut Sql, query: &Query, counting: Counting) {
    sql.push(&format!("(SELECT CASE WHEN {} THEN ", many(query)));
    if query.search.is_some() || counting == Counting::SoFar {
        sql.push(&MAX_FOUND.to_string());
    } else {
        sql.push("(SELECT count(*) FROM component WHERE ");
        conditions(sql, query);
        sql.push(")");
    }
    sql.push(" ELSE (SELECT count(*) FROM found) END)");
}

/// The rows of a page, in no particular order: those that were gathered, or else those that are met in the order
/// of the list.
pub(super) fn rows(sql: &mut Sql, query: &Query) {
    let many = many(query);
    select_item(sql);
    sql.push(&format!(" FROM component WHERE id IN (SELECT found_id FROM found WHERE NOT ({many})"));
    in_order_by(sql, query, "found_key", "found_id");
    limit(sql, query);
    sql.push(") UNION ALL ");
    if sql.backend == DbBackend::Sqlite {
        sql.push("SELECT item FROM near WHERE ");
        near_is_full(sql, query);
        sql.push(" UNION ALL SELECT item FROM (");
        far(sql, query);
        sql.push(&format!(" * ({many} AND NOT "));
        near_is_full(sql, query);
        sql.push(")) AS far");
    } else {
        sql.push("SELECT item FROM (");
        select_item(sql);
        sql.push(" FROM component WHERE ");
        conditions(sql, query);
        // PostgreSQL asks this once. As a factor of the limit its planner could make nothing of it.
        sql.push(&format!(" AND {many}"));
        in_list(sql, query);
        limit(sql, query);
        sql.push(") AS walked");
    }
}

/// Those among the next components of the list that meet the conditions.
fn near(sql: &mut Sql, query: &Query) {
    select_item(sql);
    sql.push(" FROM (SELECT rowid AS found_row FROM component WHERE true");
    in_list(sql, query);
    sql.push(&format!(" LIMIT {LOOKED_AT} * ({})) AS looked_at", many(query)));
    search_index::join_component(sql, true);
    sql.push(" WHERE ");
    conditions(sql, query);
    limit(sql, query);
}

fn near_is_full(sql: &mut Sql, query: &Query) {
    sql.push("((SELECT count(*) FROM near) >= ");
    sql.bind(rows_wanted(query));
    sql.push(")");
}

/// Those that meet the conditions, wherever they are in the list. All that are found are known first, so that of the
/// others only their place in the list is read.
fn far(sql: &mut Sql, query: &Query) {
    select_item(sql);
    // The sign keeps SQLite from reading and sorting all of them instead.
    sql.push(" FROM component WHERE +rowid IN (SELECT ");
    if let Some(search) = &query.search {
        sql.push("found_row FROM (");
        search_index::found_rows(sql, search);
        sql.push(")");
    } else {
        sql.push("rowid FROM component WHERE ");
        filters(sql, &query.filters);
    }
    sql.push(") AND ");
    filters(sql, &query.filters);
    in_list(sql, query);
    limit(sql, query);
}
