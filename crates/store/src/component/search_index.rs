//! The index of the search: what it finds as SQL, and keeping it up to date.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    component::search::{INDEXED_CHARS, Search},
    db::{Bind, database::Database, sql::Sql},
};

/// How many rows wait outside of the index when there is time to index them. They are searched one by one,
/// which takes a millisecond or two.
const MAX_WAITING: i64 = 1_000;
/// How many rows wait while many are written, so that a bulk of writes does not share the disk and the processor
/// with its own indexing. To search them takes some fifty milliseconds.
const MAX_WAITING_IN_BULK: i64 = 50_000;
/// From how many more rows a second on many are written.
const BULK: i64 = 1_000;
/// How many rows one transaction indexes; on SQLite, writes wait for it some ten milliseconds.
const ROWS_PER_STEP: i64 = 500;
/// The pause after each, so that writes have their turn.
const PAUSE: Duration = Duration::from_millis(100);
/// How many transactions one turn of the maintenance takes, before it looks again whether many are written.
const STEPS_PER_TURN: usize = 10;

/// Up to which rowid SQLite's index goes: what was inserted since waits.
const INDEXED: &str = "(SELECT component FROM component_indexed)";

/// How many rows SQLite's index has otherwise than they are, although they do not wait for it.
pub(crate) const COUNT_WRONG: &str = "
    SELECT (SELECT count(*) FROM component WHERE rowid <= (SELECT component FROM component_indexed)
               AND rowid NOT IN (SELECT component FROM component_unindexed)
               AND NOT EXISTS (SELECT 1 FROM component_search_content
                                WHERE id = component.rowid AND c0 = component.search_text))
         + (SELECT count(*) FROM component_search_content
             WHERE id NOT IN (SELECT component FROM component_unindexed)
               AND id NOT IN (SELECT rowid FROM component))";
/// Makes SQLite rebuild its index. Until then rows are searched one by one.
pub(crate) const INDEX_ALL: &str = "UPDATE component_indexed SET component = 0; \
                                    INSERT OR IGNORE INTO component_unindexed SELECT id FROM component_search_content";

/// Joins the components to the search results: those from the index, and the rows that are not indexed yet,
/// which are searched one by one. `each` makes the database read the matching rows one after the other, which
/// is best if a limit soon ends the scan.
pub(crate) fn from_found(sql: &mut Sql, search: &Search, each: bool) {
    sql.push(" FROM (");
    found_rows(sql, search);
    // All there is; a limit keeps SQLite from taking this apart and asking it once for each component.
    sql.push(if sql.backend == DbBackend::Sqlite { " LIMIT -1)" } else { ")" });
    sql.push(" AS found_by_text");
    join_component(sql, each);
}

/// Joins the components to a table with a column `found_row`.
pub(crate) fn join_component(sql: &mut Sql, each: bool) {
    sql.push(match sql.backend {
        DbBackend::Sqlite => " CROSS JOIN component ON component.rowid = found_row",
        // The offset keeps PostgreSQL from reading all components for it.
        _ if each => {
            " CROSS JOIN LATERAL (SELECT * FROM component WHERE component.id = found_row OFFSET 0) AS component"
        }
        _ => " JOIN component ON component.id = found_row",
    });
}

/// What is found, as the rows or ids of components, each in a column `found_row`.
pub(crate) fn found_rows(sql: &mut Sql, search: &Search) {
    let id = if sql.backend == DbBackend::Sqlite {
        indexed_by_fts5(sql, search);
        "rowid"
    } else {
        indexed_by_gin(sql, search);
        "id"
    };
    let listed = if sql.backend == DbBackend::Sqlite {
        sql.push(&format!(" UNION ALL SELECT rowid FROM component WHERE rowid > {INDEXED} AND "));
        is_found(sql, search);
        format!("component <= {INDEXED} AND ")
    } else {
        String::new()
    };
    // Not a join, for which SQLite would first read all components.
    sql.push(&format!(" UNION ALL SELECT component FROM component_unindexed WHERE {listed}(SELECT "));
    is_found(sql, search);
    sql.push(&format!(" FROM component WHERE component.{id} = component_unindexed.component)"));
}

fn indexed_by_gin(sql: &mut Sql, search: &Search) {
    sql.push("SELECT component AS found_row FROM component_search WHERE ");
    for word in &search.words {
        sql.push("text LIKE ");
        sql.bind(Bind::Pattern(format!("%{}%", escape_like(word))));
        sql.push(" AND ");
    }
    sql.push("component NOT IN (SELECT component FROM component_unindexed)");
}

fn indexed_by_fts5(sql: &mut Sql, search: &Search) {
    let (indexed, short): (Vec<_>, Vec<_>) =
        search.words.iter().partition(|word| word.chars().count() >= INDEXED_CHARS);
    if indexed.is_empty() {
        // Where FTS5 keeps the texts.
        sql.push("SELECT id AS found_row FROM component_search_content WHERE ");
        contains(sql, "c0", &short);
        sql.push(&format!(" AND id <= {INDEXED} AND id NOT IN (SELECT component FROM component_unindexed)"));
        return;
    }
    sql.push("SELECT rowid AS found_row FROM component_search WHERE component_search MATCH ");
    let phrases: Vec<_> = indexed.iter().map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
    sql.bind(Bind::Text(phrases.join(" AND ")));
    if !short.is_empty() {
        // From where FTS5 keeps the text, which takes half of the time that asking FTS5 for it does.
        sql.push(" AND (SELECT ");
        contains(sql, "c0", &short);
        sql.push(" FROM component_search_content WHERE id = component_search.rowid)");
    }
    sql.push(&format!(
        " AND rowid <= {INDEXED} AND rowid NOT IN (SELECT component FROM component_unindexed)"
    ));
}

/// That a component is found, seen from its row alone.
pub(crate) fn is_found(sql: &mut Sql, search: &Search) {
    contains(sql, "search_text", &search.words.iter().collect::<Vec<_>>());
}

/// Either database does this in half of the time that it takes to say where the word is.
fn contains(sql: &mut Sql, text: &str, words: &[&String]) {
    for (index, word) in words.iter().enumerate() {
        let and = if index > 0 { " AND " } else { "" };
        let (operator, pattern) = match sql.backend {
            DbBackend::Sqlite => ("GLOB", format!("*{}*", escape_glob(word))),
            _ => ("LIKE", format!("%{}%", escape_like(word))),
        };
        sql.push(&format!("{and}{text} {operator} "));
        sql.bind(Bind::Text(pattern));
    }
}

/// `*`, `?` and `[` are characters like any other too, where SQLite compares with case.
fn escape_glob(text: &str) -> String {
    text.replace('[', "[[]").replace('*', "[*]").replace('?', "[?]")
}

/// `%` and `_` are characters like any other to the person who searches.
pub(crate) fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// Puts everything that waits into the index, until it is stopped.
pub(crate) async fn index_all(database: &Database, stop: &CancellationToken) -> Result<(), DbErr> {
    while !stop.is_cancelled() && waiting(database).await? > 0 {
        step(database).await?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// One turn of the maintenance, a second or so after the last: puts some of what waits into the index, if too much
/// does. `waited` is how many rows waited after the last turn, and the answer how many do after this one.
pub(crate) async fn index_some(
    database: &Database,
    waited: i64,
    stop: &CancellationToken,
) -> Result<i64, DbErr> {
    let mut waits = waiting(database).await?;
    let most = if waits - waited >= BULK { MAX_WAITING_IN_BULK } else { MAX_WAITING };
    for _ in 0..STEPS_PER_TURN {
        if stop.is_cancelled() || waits <= most {
            break;
        }
        step(database).await?;
        tokio::time::sleep(PAUSE).await;
        waits = waiting(database).await?;
    }
    Ok(waits)
}

async fn step(database: &Database) -> Result<(), DbErr> {
    match database.backend() {
        DbBackend::Sqlite => step_on_sqlite(database).await,
        _ => step_on_postgres(database).await,
    }
}

/// First what is listed, then the next rows after the last that is indexed. The end of the index follows that
/// of the table: a rowid that is free again is given to a new row, which must lie beyond it.
async fn step_on_sqlite(database: &Database) -> Result<(), DbErr> {
    let listed =
        format!("(SELECT component FROM component_unindexed ORDER BY component LIMIT {ROWS_PER_STEP})");
    let next =
        format!("(SELECT rowid FROM component WHERE rowid > {INDEXED} ORDER BY rowid LIMIT {ROWS_PER_STEP})");
    let sql = format!(
        "DELETE FROM component_search WHERE rowid IN {listed};
         INSERT INTO component_search (rowid, text)
             SELECT rowid, search_text FROM component WHERE rowid IN {listed};
         DELETE FROM component_unindexed WHERE component IN {listed};
         DELETE FROM component_search WHERE rowid IN {next};
         INSERT INTO component_search (rowid, text)
             SELECT rowid, search_text FROM component WHERE rowid IN {next};
         UPDATE component_indexed
            SET component = coalesce((SELECT max(rowid) FROM {next}), (SELECT max(rowid) FROM component), 0);"
    );
    let transaction = database.begin().await?;
    transaction.execute_unprepared(&sql).await?;
    transaction.commit().await
}

/// Nobody waits for this but who changes one of the same rows, so it leaves the connection that writes alone.
async fn step_on_postgres(database: &Database) -> Result<(), DbErr> {
    let transaction = database.reader.begin("BEGIN").await?;
    // A text is read after its row was locked; what someone is changing is left to a later step.
    let sql = format!(
        "SELECT component FROM component_unindexed ORDER BY component LIMIT {ROWS_PER_STEP} FOR UPDATE SKIP LOCKED"
    );
    let mut step = Vec::new();
    for row in transaction.query_all_raw(database.statement(&sql, [])).await? {
        let id: Uuid = row.try_get_by_index(0)?;
        step.push(format!("'{id}'"));
    }
    if !step.is_empty() {
        let step = step.join(", ");
        let sql = format!(
            "DELETE FROM component_search WHERE component IN ({step});
             INSERT INTO component_search (component, text)
                 SELECT id, search_text FROM component WHERE id IN ({step});
             DELETE FROM component_unindexed WHERE component IN ({step});"
        );
        transaction.execute_unprepared(&sql).await?;
    }
    transaction.commit().await
}

/// How many rows wait, or more where rows after the last that is indexed were deleted.
async fn waiting(database: &Database) -> Result<i64, DbErr> {
    let listed = "SELECT count(*) FROM component_unindexed";
    let sql = match database.backend() {
        DbBackend::Sqlite => {
            format!("SELECT ({listed}) + max(0, coalesce((SELECT max(rowid) FROM component), 0) - {INDEXED})")
        }
        _ => listed.to_owned(),
    };
    match database.reader.query_one_raw(database.statement(&sql, [])).await? {
        Some(row) => row.try_get_by_index(0),
        None => Ok(0),
    }
}
