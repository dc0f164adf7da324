//! Conditions as SQL.

use sea_orm::DbBackend;

use crate::{
    component::{
        query::{Column, ColumnType, Filter, Operand, Operator, Query},
        search::Search,
        search_index::{self, escape_like},
    },
    db::{Bind, sql::Sql},
};

/// The expression by which a column is sorted, as its index has it: absent values count as the least.
pub(crate) fn key_expression(column: Column) -> String {
    let name = column.as_str();
    match (column.nullable(), column.column_type()) {
        (false, _) => name.to_owned(),
        (true, ColumnType::Amount) => format!("coalesce({name}, -1)"),
        (true, _) => format!("coalesce({name}, '')"),
    }
}

/// `FROM` and `WHERE`: the components that meet the conditions of a query. `limited` says that a limit follows.
pub(crate) fn from_component(sql: &mut Sql, query: &Query, limited: bool) {
    match (&query.search, tags(sql.backend, query).filter(|_| limited)) {
        (Some(search), _) => search_index::from_found(sql, search, limited && query.filters.is_empty()),
        (None, Some(tags)) => search_index::from_found(sql, &tags, true),
        (None, None) => sql.push(" FROM component"),
    }
    sql.push(" WHERE ");
    filters(sql, &query.filters);
}

/// Whether what is gathered comes in an order that the index of the search has.
pub(crate) fn is_searched(backend: DbBackend, query: &Query) -> bool {
    query.search.is_some() || tags(backend, query).is_some()
}

/// The tags that a query filters by, as words: the index of the search knows where they are, and a tag that few
/// components have is found without looking at the others. On PostgreSQL only where nothing else is filtered by, for
/// which its planner would know a better way.
fn tags(backend: DbBackend, query: &Query) -> Option<Search> {
    let is_tag = |filter: &&Filter| filter.column == Column::Tags && filter.operator == Operator::Equal;
    if backend == DbBackend::Postgres && !query.filters.iter().all(|filter| is_tag(&filter)) {
        return None;
    }
    let tags = query.filters.iter().filter(is_tag);
    Search::of_tags(tags.flat_map(|filter| &filter.operands).map(operand_text))
}

/// The same conditions, where components are looked at one by one.
pub(crate) fn conditions(sql: &mut Sql, query: &Query) {
    filters(sql, &query.filters);
    if let Some(search) = &query.search {
        sql.push(" AND ");
        search_index::is_found(sql, search);
    }
}

/// Those of the filters alone.
pub(crate) fn filters(sql: &mut Sql, filters: &[Filter]) {
    if filters.is_empty() {
        sql.push("true");
    }
    for (index, filter) in filters.iter().enumerate() {
        if index > 0 {
            sql.push(" AND ");
        }
        condition(sql, filter);
    }
}

fn condition(sql: &mut Sql, filter: &Filter) {
    let Filter { column, operator, operands } = filter;
    let name = column.as_str();
    if column.column_type() == ColumnType::Tags {
        return has_tag(sql, operands);
    }
    match operator {
        Operator::IsNull => {
            let negated = if operands == &[Operand::Boolean(true)] { "" } else { "NOT " };
            sql.push(&format!("{name} IS {negated}NULL"));
        }
        Operator::In => {
            sql.push(&format!("{} IN (", indexed(*column, operands)));
            sql.bind_all(operands.iter().map(value));
            sql.push(")");
        }
        Operator::Contains => {
            // Both fold the case of ASCII letters only: SQLite always, PostgreSQL in the "C" collation.
            let like = if sql.backend == DbBackend::Sqlite { "LIKE" } else { "ILIKE" };
            sql.push(&format!("{name} {like} "));
            let text = operands.iter().map(operand_text).collect::<String>();
            sql.bind(Bind::Text(format!("%{}%", escape_like(&text))));
            sql.push(" ESCAPE '\\'");
        }
        Operator::Equal | Operator::AtLeast | Operator::AtMost => {
            let comparison = match operator {
                Operator::AtLeast => ">=",
                Operator::AtMost => "<=",
                _ => "=",
            };
            let indexed = indexed(*column, operands);
            sql.push(&format!("{indexed} {comparison} "));
            sql.bind_all(operands.iter().map(value));
            if *operator == Operator::AtMost && indexed != name {
                sql.push(&format!(" AND {name} IS NOT NULL"));
            }
        }
    }
}

/// A column as its index has it, where comparing with these values means the same as with the column itself: an
/// absent value counts as one that none of them is.
fn indexed(column: Column, operands: &[Operand]) -> String {
    let present = |operand: &Operand| match operand {
        Operand::Integer(integer) => *integer >= 0,
        Operand::Text(text) => !text.is_empty(),
        Operand::Id(_) | Operand::Boolean(_) => true,
    };
    // The sku has a separate unique index.
    if column.sortable() && column != Column::Sku && operands.iter().all(present) {
        return key_expression(column);
    }
    column.as_str().to_owned()
}

/// Tags are stored as a JSON array of texts that hold no quotes, so a quoted tag is found as a text.
fn has_tag(sql: &mut Sql, tags: &[Operand]) {
    let position = if sql.backend == DbBackend::Sqlite { "instr" } else { "strpos" };
    sql.push("(");
    for (index, tag) in tags.iter().enumerate() {
        if index > 0 {
            sql.push(" OR ");
        }
        sql.push(&format!("{position}(tags, "));
        sql.bind(Bind::Text(format!("\"{}\"", operand_text(tag))));
        sql.push(") > 0");
    }
    sql.push(")");
}

fn value(operand: &Operand) -> Bind {
    match operand {
        Operand::Id(id) => Bind::Id(id.0),
        Operand::Text(text) => Bind::Text(text.clone()),
        Operand::Integer(integer) => Bind::Integer(*integer),
        Operand::Boolean(boolean) => Bind::Integer(i64::from(*boolean)),
    }
}

fn operand_text(operand: &Operand) -> &str {
    match operand {
        Operand::Text(text) => text,
        Operand::Id(_) | Operand::Integer(_) | Operand::Boolean(_) => "",
    }
}
