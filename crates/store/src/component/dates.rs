//! How many components were created, or last changed, when: by year, by month, by day.

use inventory_core::{from_micros, micros};
use time::{Date, Duration, Month, OffsetDateTime, Time};

use crate::{
    component::{
        condition::from_component,
        facets::MAX_COUNTED,
        query::{Column, ColumnType, Query},
    },
    db::{Bind, database::Database, sql::Sql},
    error::ReadError,
};

/// A day in the unit of the database's times.
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A stretch of time (UTC), which is counted in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// All time, in years.
    All,
    /// A year, in months.
    Year(i32),
    /// A month, in days.
    Month(i32, Month),
}

impl Period {
    /// Its first and its last microsecond, with which `created_at__gte` and `created_at__lte`, or those of
    /// `updated_at`, have exactly this period; `None` for all time, and for a year that no calendar has.
    pub fn bounds(self) -> Option<(OffsetDateTime, OffsetDateTime)> {
        let (first, after) = match self {
            Self::All => return None,
            Self::Year(year) => (first_of(year, Month::January)?, first_of(year + 1, Month::January)),
            Self::Month(year, Month::December) => {
                (first_of(year, Month::December)?, first_of(year + 1, Month::January))
            }
            Self::Month(year, month) => (first_of(year, month)?, first_of(year, month.next())),
        };
        Some((first, after? - Duration::MICROSECOND))
    }

    /// The first day of the part in which a day is.
    fn part(self, day: Date) -> Date {
        match self {
            Self::All => Date::from_ordinal_date(day.year(), 1).unwrap_or(day),
            Self::Year(_) => day.replace_day(1).unwrap_or(day),
            Self::Month(..) => day,
        }
    }

    /// The first day of the part after the one that begins on a day.
    fn after(self, day: Date) -> Date {
        // Longer than any part, and shorter than two.
        let later = match self {
            Self::All => Duration::days(400),
            Self::Year(_) => Duration::days(40),
            Self::Month(..) => Duration::days(1),
        };
        self.part(day.saturating_add(later))
    }
}

/// How many parts are counted of all time: more years than any database has.
const MAX_PARTS: usize = 200;
/// How many components are counted in a part, where filters find more than can be gathered.
const MAX_IN_PART: i64 = 1_000;

fn first_of(year: i32, month: Month) -> Option<OffsetDateTime> {
    Date::from_calendar_date(year, month, 1).ok().map(|date| OffsetDateTime::new_utc(date, Time::MIDNIGHT))
}

/// How many components have their time in a part of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateCount {
    /// The first day of the part.
    pub start: Date,
    /// How many.
    pub count: u64,
    /// Whether there may be more than were counted.
    pub partial: bool,
}

/// The parts of a period that have any components. What is found is gathered as far as it can be counted while
/// someone waits. If filters find more than that, many are in each part, and so far counted there.
pub(crate) async fn dates(
    database: &Database,
    query: &Query,
    column: Column,
    period: Period,
) -> Result<Vec<DateCount>, ReadError> {
    if column.column_type() != ColumnType::Time || (period.bounds().is_none() && period != Period::All) {
        return Ok(Vec::new());
    }
    if query.search.is_some() || !query.filters.is_empty() {
        let (days, all) = gathered(database, query, column, period).await?;
        if all || query.search.is_some() {
            return Ok(in_parts(period, &days, !all));
        }
    }
    let parts = parts(database, column, period).await?;
    by_part(database, query, column, &parts).await
}

/// How many were found on each day, and whether these are all.
async fn gathered(
    database: &Database,
    query: &Query,
    column: Column,
    period: Period,
) -> Result<(Vec<(Date, u64)>, bool), ReadError> {
    let name = column.as_str();
    let mut sql = Sql::new(database.backend(), String::new());
    sql.push(&format!("WITH gathered AS MATERIALIZED (SELECT {name} / {MICROS_PER_DAY} AS day"));
    from_component(&mut sql, query, true);
    if let Some((first, last)) = period.bounds() {
        between(&mut sql, name, micros(first), micros(last));
    }
    sql.push(&format!(" LIMIT {})", MAX_COUNTED + 1));
    sql.push(" SELECT CAST(day AS TEXT), count(*) FROM gathered GROUP BY day ORDER BY day");
    let mut days = Vec::new();
    let mut found = 0;
    for (day, count) in database.hot.rows::<i64>(sql.text, sql.binds).await? {
        let day: i64 = day.parse().map_err(|_| ReadError::Corrupt(format!("the day {day}")))?;
        let date = from_micros(day.saturating_mul(MICROS_PER_DAY)).date();
        days.push((date, u64::try_from(count).unwrap_or_default()));
        found += count;
    }
    // As texts they came in another order where they have not the same number of digits.
    days.sort_unstable();
    Ok((days, found <= MAX_COUNTED))
}

/// Days as the parts of a period in which they are.
fn in_parts(period: Period, days: &[(Date, u64)], partial: bool) -> Vec<DateCount> {
    let mut counts: Vec<DateCount> = Vec::new();
    for (day, count) in days {
        let start = period.part(*day);
        match counts.last_mut() {
            Some(last) if last.start == start => last.count += count,
            _ => counts.push(DateCount { start, count: *count, partial }),
        }
    }
    counts
}

/// The first days of the parts of a period, and of what comes after it: of all time, from the first year that there
/// is to the last.
async fn parts(database: &Database, column: Column, period: Period) -> Result<Vec<Date>, ReadError> {
    let (first, last) = if let Some((first, last)) = period.bounds() {
        (first.date(), last.date())
    } else {
        let name = column.as_str();
        // Each is one look into an index.
        let sql = format!(
            "SELECT '', coalesce((SELECT min({name}) FROM component), 0) UNION ALL \
             SELECT '', coalesce((SELECT max({name}) FROM component), 0)"
        );
        let rows = database.hot.rows::<i64>(sql, Vec::new()).await?;
        let mut dates = rows.into_iter().map(|(_, at)| from_micros(at).date());
        let first = dates.next().unwrap_or(Date::MIN);
        (first, dates.next().unwrap_or(first))
    };
    let mut parts = Vec::new();
    let mut day = period.part(first);
    while day <= last && parts.len() < MAX_PARTS {
        parts.push(day);
        day = period.after(day);
    }
    parts.push(day);
    Ok(parts)
}

/// How many there are from each day to the next: all of them where there is no filter, whose times an index has.
async fn by_part(
    database: &Database,
    query: &Query,
    column: Column,
    parts: &[Date],
) -> Result<Vec<DateCount>, ReadError> {
    let name = column.as_str();
    let all = query.filters.is_empty();
    let mut sql = Sql::new(database.backend(), String::new());
    for (place, part) in parts.windows(2).enumerate() {
        let &[first, after] = part else { continue };
        if place > 0 {
            sql.push(" UNION ALL ");
        }
        sql.push(&format!("SELECT '{place}', count(*) FROM (SELECT 1 AS one"));
        from_component(&mut sql, query, false);
        let start = |day: Date| micros(OffsetDateTime::new_utc(day, Time::MIDNIGHT));
        between(&mut sql, name, start(first), start(after) - 1);
        if !all {
            sql.push(&format!(" LIMIT {}", MAX_IN_PART + 1));
        }
        sql.push(") AS part");
    }
    let mut counts = Vec::new();
    for (place, count) in database.hot.rows::<i64>(sql.text, sql.binds).await? {
        let start = place.parse().ok().and_then(|place: usize| parts.get(place).copied());
        let start = start.ok_or_else(|| ReadError::Corrupt(format!("the part {place}")))?;
        let partial = !all && count > MAX_IN_PART;
        let count = u64::try_from(if partial { MAX_IN_PART } else { count }).unwrap_or_default();
        counts.push(DateCount { start, count, partial });
    }
    counts.retain(|part| part.count > 0);
    counts.sort_unstable_by_key(|part| part.start);
    Ok(counts)
}

fn between(sql: &mut Sql, name: &str, first: i64, last: i64) {
    sql.push(&format!(" AND {name} BETWEEN "));
    sql.bind(Bind::Integer(first));
    sql.push(" AND ");
    sql.bind(Bind::Integer(last));
}
