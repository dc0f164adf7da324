//! Days from one to another (UTC), as two conditions of a list say them: a year, a month, a day, or any others.

use std::fmt;

use inventory_store::{Column, Operator, Period};
use time::{Date, Month};

use super::list_query::{Condition, ListQuery};

/// The first day and the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    from: Date,
    to: Date,
}

/// What a span is in a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Year,
    Month,
    Day,
}

impl Span {
    /// All of the year, the month or the day in which a day is.
    pub(super) fn around(day: Date, unit: Unit) -> Self {
        let last = |month: Month| month.length(day.year());
        let place = |month, number| Date::from_calendar_date(day.year(), month, number).unwrap_or(day);
        match unit {
            Unit::Year => Self { from: place(Month::January, 1), to: place(Month::December, 31) },
            Unit::Month => Self { from: place(day.month(), 1), to: place(day.month(), last(day.month())) },
            Unit::Day => Self { from: day, to: day },
        }
    }

    /// The days that a list has of a column, where its conditions are days.
    pub(super) fn of(asked: &ListQuery, column: Column) -> Option<Self> {
        let bound = |operator| {
            let mut bounds = asked.conditions.iter().filter(|condition| condition.is(column, operator));
            Some((bounds.next()?, bounds.next()))
        };
        let ((from, None), (to, None)) = (bound(Operator::AtLeast)?, bound(Operator::AtMost)?) else {
            return None;
        };
        Some(Self { from: day(from)?, to: day(to)? })
    }

    /// What it is in a calendar, where it is one thing there.
    pub(super) fn unit(self) -> Option<Unit> {
        [Unit::Day, Unit::Month, Unit::Year].into_iter().find(|unit| Self::around(self.from, *unit) == self)
    }

    /// The period in whose parts it is looked at: a day beside the others of its month.
    pub(super) fn period(self) -> Period {
        match self.unit() {
            Some(Unit::Year) => Period::Year(self.from.year()),
            Some(Unit::Month | Unit::Day) => Period::Month(self.from.year(), self.from.month()),
            None => Period::All,
        }
    }

    pub(super) fn first(self) -> Date {
        self.from
    }

    /// The values of the two conditions.
    pub(super) fn bounds(self) -> (String, String) {
        (self.from.to_string(), self.to.to_string())
    }
}

/// With the word before it that it has after “Created”.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        match self.unit() {
            Some(Unit::Year) => write!(f, "in {}", from.year()),
            Some(Unit::Month) => write!(f, "in {} {}", from.month(), from.year()),
            Some(Unit::Day) => write!(f, "on {} {} {}", from.day(), from.month(), from.year()),
            None => write!(f, "from {from} to {to}"),
        }
    }
}

/// The day that a condition is about.
fn day(condition: &Condition) -> Option<Date> {
    let mut parts = condition.value.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    let date = Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
    (date.to_string() == condition.value).then_some(date)
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;
    use crate::form_data::FormData;

    fn span(from: &str, to: &str) -> Option<Span> {
        let pairs = [("created_at__gte", from), ("created_at__lte", to)];
        let fields = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Span::of(&ListQuery::read(&FormData(fields.to_vec())), Column::CreatedAt)
    }

    #[test]
    fn days_are_told_as_a_calendar_names_them() {
        for (from, to, words, period) in [
            ("2024-01-01", "2024-12-31", "in 2024", Period::Year(2024)),
            ("2024-02-01", "2024-02-29", "in February 2024", Period::Month(2024, Month::February)),
            ("2024-02-29", "2024-02-29", "on 29 February 2024", Period::Month(2024, Month::February)),
            ("2024-02-01", "2024-02-28", "from 2024-02-01 to 2024-02-28", Period::All),
        ] {
            let span = span(from, to).unwrap();
            assert_eq!((span.to_string().as_str(), span.period()), (words, period));
        }
        assert_eq!(span("2024-01-01", ""), None);
        assert_eq!(span("2024-01-01T00:00:00Z", "2024-01-02"), None);
        let month = Span::around(date!(2023 - 02 - 10), Unit::Month);
        assert_eq!(month.bounds(), ("2023-02-01".to_owned(), "2023-02-28".to_owned()));
    }
}
