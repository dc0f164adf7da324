//! What a list was asked for in its address, and the addresses of the lists beside it.

use inventory_store::{Column, ColumnType, Filter, Operator, PageStart, Query, Search, Sort};

use super::{
    PATH,
    chip::{self, Chip},
    column::{self, ListColumn},
    cursor,
    form::AMOUNT_RULE,
};
use crate::{address, form_data::FormData};

/// How many components a page has unless it is told otherwise.
const DEFAULT_LIMIT: usize = 50;
/// How many components a page may have.
pub(super) const LIMITS: [usize; 3] = [25, DEFAULT_LIMIT, 100];
/// How long a filter's value may be, in characters.
const MAX_CHARS: usize = 200;
/// The order unless it is told otherwise: what was made last comes first.
const DEFAULT_SORT: Sort = Sort { column: Column::Id, descending: true };

/// What was asked for, as it was sent. What is empty or not known is left out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ListQuery {
    /// What was typed into the search box.
    pub(crate) search: String,
    words: Option<Search>,
    /// Conditions by the name and value of their parameters.
    pub(crate) conditions: Vec<Condition>,
    pub(crate) sort: Sort,
    pub(crate) limit: usize,
    from: PageStart,
    /// What is wrong with it, for a person.
    pub(crate) errors: Vec<String>,
}

/// One condition of a list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    /// The parameter, such as `unit_cost__gte`.
    pub(crate) name: String,
    pub(crate) value: String,
    pub(super) column: Column,
    pub(super) operator: Operator,
    /// Nothing where the value is not one.
    filter: Option<Filter>,
}

impl Condition {
    fn read(name: &str, value: &str) -> Option<Result<Self, String>> {
        let (column, operator) = Column::ALL
            .into_iter()
            .flat_map(|column| column.operators().into_iter().map(move |operator| (column, operator)))
            .find(|(column, operator)| {
                name.strip_prefix(column.as_str()).is_some_and(|suffix| suffix == operator.suffix())
            })?;
        let filter = Filter::parse(name, &whole_day(column, operator, value))?;
        let condition =
            |filter| Self { name: name.to_owned(), value: value.to_owned(), column, operator, filter };
        Some(match filter {
            _ if value.chars().count() > MAX_CHARS => {
                Err(format!("{}: enter at most {MAX_CHARS} characters.", column::label(column)))
            }
            Ok(filter) => Ok(condition(Some(filter))),
            // What an amount may be is told as forms tell it.
            Err(_)
                if column.column_type() == ColumnType::Amount
                    && matches!(operator, Operator::Equal | Operator::AtLeast | Operator::AtMost) =>
            {
                Err(format!("{}: {value:?} is not valid. {AMOUNT_RULE}.", column::label(column)))
            }
            Err(error) => Err(format!("{}: {error}.", column::label(column))),
        })
    }

    /// Whether it compares this column so.
    pub(super) fn is(&self, column: Column, operator: Operator) -> bool {
        self.column == column && self.operator == operator
    }
}

/// A day, as a date field sends it, is its first moment or its last.
fn whole_day(column: Column, operator: Operator, value: &str) -> String {
    let day = value.len() == "2027-01-15".len() && !value.contains('T');
    match operator {
        Operator::AtLeast if day && column.column_type() == ColumnType::Time => format!("{value}T00:00:00Z"),
        Operator::AtMost if day && column.column_type() == ColumnType::Time => {
            format!("{value}T23:59:59.999999Z")
        }
        _ => value.to_owned(),
    }
}

impl ListQuery {
    /// Reads the parameters of a list.
    pub(crate) fn read(fields: &FormData) -> Self {
        let mut errors = Vec::new();
        let mut conditions = Vec::new();
        for (name, value) in fields.0.iter().filter(|(_, value)| !value.trim().is_empty()) {
            match Condition::read(name, value.trim()) {
                Some(Ok(condition)) => conditions.push(condition),
                Some(Err(error)) => errors.push(error),
                // Not one of ours; an old bookmark may have it.
                None => {}
            }
        }
        let sort = sort(fields.text("sort")).unwrap_or(DEFAULT_SORT);
        let limit =
            fields.text("limit").parse().ok().filter(|limit| LIMITS.contains(limit)).unwrap_or(DEFAULT_LIMIT);
        let from = match (fields.get("after"), fields.get("before")) {
            (Some(after), _) => cursor::read(sort.column, after).map_or(PageStart::Start, PageStart::After),
            (None, Some(before)) => {
                cursor::read(sort.column, before).map_or(PageStart::Start, PageStart::Before)
            }
            (None, None) => PageStart::Start,
        };
        let search = fields.text("q").trim().to_owned();
        let words = Search::parse(&search).unwrap_or_else(|error| {
            errors.push(format!("The search text {error}."));
            None
        });
        Self { search, words, conditions, sort, limit, from, errors }
    }

    /// The question for the store; nothing where something is wrong with it, so that nobody takes the list of
    /// everything for the one that was asked for.
    pub(crate) fn query(&self) -> Option<Query> {
        self.errors.is_empty().then(|| {
            let filters = self.conditions.iter().filter_map(|condition| condition.filter.clone()).collect();
            let (search, from) = (self.words.clone(), self.from.clone());
            Query { filters, search, sort: self.sort, from, limit: self.limit }
        })
    }

    /// Whether the list is of anything less than everything.
    pub(crate) fn narrows(&self) -> bool {
        !self.search.is_empty() || !self.conditions.is_empty() || !self.errors.is_empty()
    }

    /// What it is narrowed by, but for what was searched for.
    pub(crate) fn chips(&self) -> Vec<Chip> {
        chip::chips(self)
    }

    /// The values of a parameter among the conditions.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let conditions = self.conditions.iter().filter(move |condition| condition.name == name);
        conditions.map(|condition| condition.value.as_str())
    }

    /// The first of them, or nothing.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.conditions
            .iter()
            .find(|condition| condition.name == name)
            .map_or("", |condition| &condition.value)
    }

    /// Its parameters, without the place of the page.
    pub(crate) fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        if !self.search.is_empty() {
            pairs.push(("q".to_owned(), self.search.clone()));
        }
        pairs.extend(
            self.conditions.iter().map(|condition| (condition.name.clone(), condition.value.clone())),
        );
        if self.sort != DEFAULT_SORT {
            pairs.push(("sort".to_owned(), sort_text(self.sort)));
        }
        if self.limit != DEFAULT_LIMIT {
            pairs.push(("limit".to_owned(), self.limit.to_string()));
        }
        pairs
    }

    /// Its parameters but these.
    pub(crate) fn pairs_but(&self, names: &[&str]) -> Vec<(String, String)> {
        self.pairs().into_iter().filter(|(name, _)| !names.contains(&name.as_str())).collect()
    }

    /// The address of the same list with other values of these parameters; an empty one leaves it out.
    pub(crate) fn link(&self, changes: &[(&str, &str)]) -> String {
        let names: Vec<_> = changes.iter().map(|(name, _)| *name).collect();
        let kept = self.pairs_but(&names);
        let kept = kept.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        address::with_query(PATH, kept.chain(changes.iter().copied().filter(|(_, value)| !value.is_empty())))
    }

    /// The address of its first page.
    pub(crate) fn first(&self) -> String {
        self.link(&[])
    }

    /// The address of the same list without a condition.
    pub(crate) fn without(&self, condition: &Condition) -> String {
        let conditions = self.conditions.iter().filter(|kept| *kept != condition).cloned().collect();
        Self { conditions, ..self.clone() }.first()
    }

    /// The address of the same list with one more condition.
    pub(super) fn adding(&self, name: &str, value: &str) -> String {
        let mut pairs = self.pairs();
        pairs.push((name.to_owned(), value.to_owned()));
        address::with_query(PATH, pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// The address of another page about the same list.
    pub(super) fn beside(&self, path: &str) -> String {
        let pairs = self.pairs();
        address::with_query(path, pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// The address of the same list without what was searched for.
    pub(crate) fn without_search(&self) -> String {
        self.link(&[("q", "")])
    }

    /// The same list without the conditions of a parameter.
    pub(crate) fn dropping(&self, name: &str) -> Self {
        let conditions = self.conditions.iter().filter(|condition| condition.name != name).cloned().collect();
        Self { conditions, ..self.clone() }
    }

    /// The address of the same list in pages of another length.
    pub(crate) fn limited(&self, limit: usize) -> String {
        self.link(&[("limit", &limit.to_string())])
    }

    /// The address of the same list in the order of a column; the other way round where that is its order now.
    pub(crate) fn sorted_by(&self, ListColumn { column, .. }: &ListColumn) -> String {
        let descending = self.sort.column == *column && !self.sort.descending;
        self.link(&[("sort", &sort_text(Sort { column: *column, descending }))])
    }

    /// How a column is sorted, as `aria-sort` says it.
    pub(crate) fn direction(&self, ListColumn { column, .. }: &ListColumn) -> Option<&'static str> {
        (self.sort.column == *column).then_some(if self.sort.descending { "descending" } else { "ascending" })
    }

    /// The address of this very page.
    pub(crate) fn here(&self) -> String {
        match &self.from {
            PageStart::Start => self.link(&[]),
            PageStart::After(after) => self.link(&[("after", &cursor::write(after))]),
            PageStart::Before(before) => self.link(&[("before", &cursor::write(before))]),
        }
    }

    /// Whether this is the first page.
    pub(crate) fn at_start(&self) -> bool {
        self.from == PageStart::Start
    }
}

fn sort(text: &str) -> Option<Sort> {
    let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
    let column = Column::named(name).filter(|column| column.sortable())?;
    Some(Sort { column, descending })
}

fn sort_text(sort: Sort) -> String {
    format!("{}{}", if sort.descending { "-" } else { "" }, sort.column.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&str, &str)]) -> ListQuery {
        ListQuery::read(&FormData(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()))
    }

    #[test]
    fn links_keep_everything_but_what_they_change() {
        let asked = asked(&[
            ("q", "a&b"),
            ("status", "active"),
            ("unit", ""),
            ("sort", "-name"),
            ("limit", "100"),
            ("x", "y"),
        ]);
        assert_eq!(asked.link(&[]), "/admin/components?q=a%26b&status=active&sort=-name&limit=100");
        assert_eq!(
            asked.link(&[("status", ""), ("limit", "25")]),
            "/admin/components?q=a%26b&sort=-name&limit=25"
        );
        assert_eq!(
            asked.sorted_by(&column::ListColumn::of(inventory_core::Field::Name)),
            "/admin/components?q=a%26b&status=active&limit=100&sort=name"
        );
    }

    #[test]
    fn a_day_is_all_of_it_and_a_wrong_value_is_no_list_of_everything() {
        let days = asked(&[("created_at__gte", "2027-01-15"), ("created_at__lte", "2027-01-15")]);
        assert_eq!(days.query().unwrap().filters.len(), 2);
        let wrong = asked(&[("unit_cost__gte", "cheap")]);
        assert_eq!(wrong.query(), None);
        assert!(wrong.errors[0].starts_with("Unit cost: \"cheap\" is not valid. "), "{:?}", wrong.errors);
    }
}
