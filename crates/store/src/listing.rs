//! Pages of components: conditions and places as SQL.
//!
//! A page begins at a place, not at a number of rows: `(key, id) > (…)` is one descent of an index however
//! far into the list it is, and rows that come and go elsewhere do not move it. Rows that themselves move in the
//! order are in [`moved`].

mod moved;

use inventory_core::{Component, Seq};
use sea_orm::DbBackend;
use serde::Deserialize;

use self::moved::{MAX_WALK_EVENTS, Moved, can_move};

use crate::{
    count,
    database::Database,
    entity::component::{self, json_row},
    error::ReadError,
    query::{Column, Filter, From, Key, Kind, Operand, Operator, Page, Place, Query},
    read,
    reader::Bind,
};

/// An SQL text and what its `$1`, `$2`, … stand for.
struct Sql {
    text: String,
    binds: Vec<Bind>,
    backend: DbBackend,
}

impl Sql {
    fn new(backend: DbBackend, text: String) -> Self {
        Self { text, binds: Vec::new(), backend }
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn bind(&mut self, bind: Bind) {
        self.binds.push(bind);
        self.text.push('$');
        self.text.push_str(&self.binds.len().to_string());
    }

    fn bind_all(&mut self, binds: impl IntoIterator<Item = Bind>) {
        for (index, bind) in binds.into_iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            self.bind(bind);
        }
    }
}

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

/// The page that a query asks for.
pub(crate) async fn page(database: &Database, query: &Query) -> Result<Page, ReadError> {
    let column = query.sort.column;
    let backwards = matches!(query.from, From::Before(_));
    let Sql { text, binds, .. } = select(database.backend(), query, backwards);
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
    if !moved.is_empty() {
        for moved in moved {
            let place = moved.place(column, since)?;
            if from.is_none_or(|from| place.is_beyond(from, descending)) {
                places.push((place, None));
            }
        }
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

fn select(backend: DbBackend, query: &Query, backwards: bool) -> Sql {
    let Query { filters, sort, from, limit } = query;
    let mut sql = Sql::new(backend, String::new());
    // On the first page nothing has moved yet.
    let walked = from.place().filter(|_| can_move(sort.column));
    if let Some(place) = walked {
        moved::begin(&mut sql, sort.column, place.since);
    }
    sql.push("SELECT '{\"head\":' || (SELECT seq FROM event_head) || ',\"moved\":' || ");
    match walked {
        Some(_) => moved::select(&mut sql, filters),
        None => sql.push("'[]'"),
    }
    // All rows in one text: the driver then hands over one value instead of a thousand.
    let join = if backend == DbBackend::Sqlite { "group_concat" } else { "string_agg" };
    sql.push(&format!(" || ',\"rows\":[' || coalesce({join}(item, ','), '') || ']}}', "));
    total(&mut sql, query);
    sql.push(&format!(" FROM (SELECT {} AS item FROM component WHERE ", json_row(backend)));
    conditions(&mut sql, filters);
    let descending = sort.descending != backwards;
    if let Some(place) = from.place() {
        sql.push(" AND ");
        after(&mut sql, sort.column, place, descending);
    }
    if walked.is_some() {
        sql.push(" AND id NOT IN (SELECT moved_id FROM moved)");
    }
    let direction = if descending { "DESC" } else { "ASC" };
    let key = key_expression(sort.column);
    sql.push(&match sort.column {
        Column::Id => format!(" ORDER BY id {direction} LIMIT "),
        _ => format!(" ORDER BY {key} {direction}, id {direction} LIMIT "),
    });
    sql.bind(Bind::Integer(i64::try_from(*limit).unwrap_or(i64::MAX - 1) + 1));
    sql.push(") AS page");
    sql
}

fn total(sql: &mut Sql, query: &Query) {
    if query.filters.is_empty() {
        sql.push(count::kept(sql.backend));
    } else {
        sql.push("(SELECT count(*) FROM component WHERE ");
        conditions(sql, &query.filters);
        sql.push(")");
    }
}

/// The rows behind a place in the order of the list.
fn after(sql: &mut Sql, column: Column, place: &Place, descending: bool) {
    let beyond = if descending { " < " } else { " > " };
    if column == Column::Id {
        sql.push("id");
        sql.push(beyond);
        sql.bind(Bind::Id(place.id.0));
        return;
    }
    sql.push(&format!("({}, id){beyond}(", key_expression(column)));
    match &place.key {
        Key::Integer(integer) => sql.bind(Bind::Integer(*integer)),
        Key::Text(text) => sql.bind(Bind::Text(text.clone())),
    }
    sql.push(", ");
    sql.bind(Bind::Id(place.id.0));
    sql.push(")");
}

/// The expression by which a column is sorted, as its index has it: absent values count as the least.
fn key_expression(column: Column) -> String {
    let name = column.as_str();
    match (column.nullable(), column.kind()) {
        (false, _) => name.to_owned(),
        (true, Kind::Amount) => format!("coalesce({name}, -1)"),
        (true, _) => format!("coalesce({name}, '')"),
    }
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

fn conditions(sql: &mut Sql, filters: &[Filter]) {
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
    if column.kind() == Kind::Tags {
        return has_tag(sql, operands);
    }
    match operator {
        Operator::IsNull => {
            let negated = if operands == &[Operand::Boolean(true)] { "" } else { "NOT " };
            sql.push(&format!("{name} IS {negated}NULL"));
        }
        Operator::In => {
            sql.push(&format!("{name} IN ("));
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
            sql.push(&format!("{name} {comparison} "));
            sql.bind_all(operands.iter().map(value));
        }
    }
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

/// `%` and `_` are characters like any other to the person who searches.
fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}
