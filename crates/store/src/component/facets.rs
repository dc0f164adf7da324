//! How often each value of a column occurs.

use sea_orm::DbBackend;

use crate::{
    component::{
        condition::{from_component, is_searched, key_expression},
        query::{Column, ColumnType, Query},
    },
    db::{Bind, database::Database, sql::Sql},
    error::ReadError,
};

/// How many values one answer has at most.
pub(crate) const MAX_FACETS: usize = 200;
/// How many components are looked at where several columns are counted at once.
pub(crate) const MAX_COUNTED: i64 = 10_000;

/// A value of a column, and how many components have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facet {
    /// The value; `None` for those that have nothing in the column.
    pub value: Option<String>,
    /// How many components have it. One with several tags counts for each of them.
    pub count: u64,
}

/// The values of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facets {
    /// The most frequent first.
    pub values: Vec<Facet>,
    /// Whether there are further values, less frequent than these.
    pub more: bool,
    /// Whether not all components that meet the conditions were looked at: each count then stands for as many or
    /// more.
    pub partial: bool,
}

impl Facets {
    /// One value more than asked for tells whether there are further ones.
    fn new(column: Column, rows: Vec<(String, i64)>, limit: usize) -> Self {
        let more = rows.len() > limit;
        let facet = |(value, count): (String, i64)| Facet {
            value: (!column.nullable() || !value.is_empty()).then_some(value),
            count: u64::try_from(count).unwrap_or_default(),
        };
        Self { values: rows.into_iter().take(limit).map(facet).collect(), more, partial: false }
    }
}

/// The values of one column among all components that meet the conditions.
pub(crate) async fn facets(
    database: &Database,
    query: &Query,
    column: Column,
    limit: usize,
) -> Result<Facets, ReadError> {
    let limit = limit.clamp(1, MAX_FACETS);
    let mut sql = Sql::new(database.backend(), String::new());
    count(&mut sql, column, limit, |sql| from_component(sql, query, false));
    let Sql { text, binds, .. } = sql;
    let rows = if column.countable() { database.hot.rows::<i64>(text, binds).await? } else { Vec::new() };
    Ok(Facets::new(column, rows, limit))
}

/// The values of several columns. The components are gathered once for all of them, and no more than can be
/// counted while someone waits, however many there are.
pub(crate) async fn facets_at_once(
    database: &Database,
    query: &Query,
    columns: &[Column],
    limit: usize,
) -> Result<Vec<Facets>, ReadError> {
    let limit = limit.clamp(1, MAX_FACETS);
    let columns: Vec<_> = columns.iter().copied().filter(|column| column.countable()).collect();
    let mut sql = Sql::new(database.backend(), String::new());
    gather(&mut sql, query, &columns);
    sql.push(" SELECT '', count(*) FROM gathered");
    for (place, column) in columns.iter().enumerate() {
        sql.push(&format!(" UNION ALL SELECT '{place}:' || value, n FROM ("));
        count(&mut sql, *column, limit, |sql| sql.push(" FROM gathered WHERE true"));
        sql.push(") AS counted");
    }
    let mut gathered = 0;
    let mut found = vec![Vec::new(); columns.len()];
    for (text, count) in database.hot.rows::<i64>(sql.text, sql.binds).await? {
        let Some((place, value)) = text.split_once(':') else {
            gathered = count;
            continue;
        };
        let values = place.parse().ok().and_then(|place: usize| found.get_mut(place));
        let values = values.ok_or_else(|| ReadError::Corrupt(format!("the facet {text}")))?;
        values.push((value.to_owned(), count));
    }
    let partial = gathered > MAX_COUNTED;
    let facets = columns.into_iter().zip(found);
    Ok(facets.map(|(column, rows)| Facets { partial, ..Facets::new(column, rows, limit) }).collect())
}

/// The table `gathered` of the components that meet the conditions, or of one more than are counted: the
/// newest ones, except for a search or a tag, whose index is in another order.
fn gather(sql: &mut Sql, query: &Query, columns: &[Column]) {
    let mut names: Vec<_> = columns.iter().map(|column| column.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let names = if names.is_empty() { "id".to_owned() } else { names.join(", ") };
    sql.push(&format!("WITH gathered AS MATERIALIZED (SELECT {names}"));
    from_component(sql, query, true);
    if !is_searched(sql.backend, query) {
        // SQLite keeps rows in the order in which they were inserted, which is cheaper to follow than an index.
        let newest = if sql.backend == DbBackend::Sqlite { "rowid" } else { "id" };
        sql.push(&format!(" ORDER BY component.{newest} DESC"));
    }
    sql.push(&format!(" LIMIT {})", MAX_COUNTED + 1));
}

/// Selects the values of a column and how often each is there: the most frequent ones, and one more than asked for.
fn count(sql: &mut Sql, column: Column, limit: usize, from: impl FnOnce(&mut Sql)) {
    if column.column_type() == ColumnType::Tags {
        // Many components have the same tags: each list of them is taken apart once.
        sql.push("SELECT tag.value AS value, CAST(sum(listed.n) AS BIGINT) AS n FROM (");
        sql.push("SELECT tags, count(*) AS n");
        from(sql);
        sql.push(" AND tags <> '[]'");
        sql.push(" GROUP BY tags) AS listed, ");
        sql.push(match sql.backend {
            DbBackend::Sqlite => "json_each(listed.tags) AS tag",
            _ => "json_array_elements_text(listed.tags::json) AS tag(value)",
        });
    } else {
        // As the index has it, where there is one.
        let key = key_expression(column);
        sql.push(&format!("SELECT {key} AS value, count(*) AS n"));
        from(sql);
    }
    sql.push(" GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT ");
    sql.bind(Bind::Integer(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1));
}
