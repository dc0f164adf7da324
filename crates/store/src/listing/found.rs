//! What a search finds, as pages of a list.
//!
//! The index of a search knows nothing of the order of the list. So what is found is gathered first, with the
//! values by which it is sorted, up to a number that is counted and sorted in a moment. If more is found than
//! that, every so many components are, and a page is soon full that is gathered in the order of the list.

use sea_orm::DbBackend;

use super::{Counting, Query, begin_rows, end_rows};
use crate::condition::{Sql, conditions, from_component, key_expression};

const MAX_FOUND: u64 = Query::MAX_FOUND;

/// The table `found` of the components that meet the conditions, or of one more than are counted.
pub(super) fn table(sql: &mut Sql, query: &Query) {
    let key = key_expression(query.sort.column);
    sql.push("found AS MATERIALIZED (SELECT id AS found_id, ");
    sql.push(&format!("{key} AS found_key"));
    from_component(sql, query, true);
    sql.push(&format!(" LIMIT {})", MAX_FOUND + 1));
}

/// Whether a list is gathered so: where anything less than everything is asked for.
pub(super) fn applies(query: &Query) -> bool {
    query.search.is_some() || !query.filters.is_empty()
}

/// How many are found: of a search as far as they are counted, of filters all of them where all are wanted.
pub(super) fn total(sql: &mut Sql, query: &Query, counting: Counting) {
    sql.push(&format!("(SELECT CASE WHEN count(*) > {MAX_FOUND} THEN "));
    if query.search.is_some() || counting == Counting::SoFar {
        sql.push(&MAX_FOUND.to_string());
    } else {
        sql.push("(SELECT count(*) FROM component WHERE ");
        conditions(sql, query);
        sql.push(")");
    }
    sql.push(" ELSE count(*) END FROM found)");
}

/// The rows of a page, in no particular order: those that were gathered, or else those that are met in the order
/// of the list.
pub(super) fn rows(sql: &mut Sql, query: &Query) {
    let many = format!("(SELECT count(*) FROM found) > {MAX_FOUND}");
    begin_rows(sql);
    sql.push(&format!("id IN (SELECT found_id FROM found WHERE NOT ({many})"));
    end_rows(sql, query, "found_key", "found_id");
    sql.push(") UNION ALL SELECT item FROM (");
    begin_rows(sql);
    conditions(sql, query);
    // Each database asks this once where it stands, and for every component where it stands in the other.
    if sql.backend == DbBackend::Postgres {
        sql.push(&format!(" AND {many}"));
    }
    end_rows(sql, query, &key_expression(query.sort.column), "id");
    if sql.backend == DbBackend::Sqlite {
        sql.push(&format!(" * ({many})"));
    }
    sql.push(") AS walked");
}
