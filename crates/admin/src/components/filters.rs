//! The filters beside a list: the values that there are to choose from, and how many components each would leave.
//!
//! They are a page by itself, because counting takes longer than the list; the list takes its part of it. There
//! only the most frequent values are offered, counted among a limited number of components; another page has all the values of
//! one column.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Html,
    routing::get,
};
use inventory_store::{Column, Facets, ReadError, Store};

use super::{chip, column, list_query::ListQuery};
use crate::{
    Admin,
    auth::SignedIn,
    failure::Failure,
    form_data::Parameters,
    format::Count,
    layout::{Layout, Section},
    routes::Router,
};

/// Where the filters of a list are.
const PATH: &str = "/admin/components/filters";
/// How many values of a column are offered beside the list.
const VALUES: usize = 8;

/// A column whose values are offered.
#[derive(Clone, Copy)]
struct Offered {
    column: Column,
    /// Whether several values can be chosen: then all of them must hold.
    several: bool,
    /// Whether it is shown before anyone asked for it.
    open: bool,
}

const OFFERED: [Offered; 6] = [
    Offered { column: Column::Status, several: false, open: true },
    Offered { column: Column::Manufacturer, several: false, open: true },
    Offered { column: Column::Tags, several: true, open: true },
    Offered { column: Column::Unit, several: false, open: false },
    Offered { column: Column::Currency, several: false, open: false },
    Offered { column: Column::UpdatedBy, several: false, open: false },
];
/// The columns of which it is of interest that a component has nothing in them.
const ABSENT: [Column; 6] =
    [Column::Sku, Column::Barcode, Column::Manufacturer, Column::Mpn, Column::UnitCost, Column::DatasheetUrl];
/// The columns between whose values a list can be.
const RANGES: [(Column, Range); 4] = [
    (Column::UnitCost, Range::Amount),
    (Column::MinQuantity, Range::Amount),
    (Column::CreatedAt, Range::Day),
    (Column::UpdatedAt, Range::Day),
];

/// What stands at the ends of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    Amount,
    Day,
}

/// The pages of this module.
pub(super) fn router() -> Router<Admin> {
    Router::new().route(PATH, get(filters)).route("/admin/components/filters/{column}", get(values))
}

/// Where the filters of a list are.
pub(super) fn address(asked: &ListQuery) -> String {
    asked.beside(PATH)
}

#[derive(Template)]
#[template(path = "filters.html")]
struct FiltersPage {
    layout: Layout,
    asked: ListQuery,
    choices: Vec<Choice>,
    absent: Vec<Absent>,
    ranges: Vec<Between>,
    /// The parameters that the form has no fields for.
    kept: Vec<(String, String)>,
}

impl FiltersPage {
    fn is_any_absent(&self) -> bool {
        self.absent.iter().any(|absent| absent.chosen)
    }
}

/// The values of one column.
struct Choice {
    /// The parameter.
    name: &'static str,
    label: &'static str,
    several: bool,
    open: bool,
    options: Vec<ChoiceOption>,
    /// Where the others are, where there are others.
    more: Option<String>,
}

impl Choice {
    /// Whether nothing is chosen.
    fn any(&self) -> bool {
        !self.options.iter().any(|option| option.chosen)
    }
}

/// A value that can be chosen.
struct ChoiceOption {
    value: String,
    /// How many components there would be, where that was counted; with a plus where there may be more.
    count: Option<String>,
    chosen: bool,
}

/// A column of which components have nothing.
struct Absent {
    name: String,
    label: String,
    chosen: bool,
}

/// The two ends of a range.
struct Between {
    label: String,
    name: &'static str,
    days: bool,
    /// The parameters.
    ends: (String, String),
}

async fn filters(
    signed_in: SignedIn,
    State(store): State<Store>,
    Parameters(fields): Parameters,
) -> Result<Html<String>, Failure> {
    let asked = ListQuery::read(&fields);
    let absent: Vec<_> = ABSENT.into_iter().map(|column| absent(&asked, column)).collect();
    let ranges: Vec<_> = RANGES.into_iter().map(between).collect();
    let mut known: Vec<_> = OFFERED.iter().map(|offered| offered.column.as_str()).collect();
    known.extend(absent.iter().map(|absent| absent.name.as_str()));
    known.extend(ranges.iter().flat_map(|range| [range.ends.0.as_str(), range.ends.1.as_str()]));
    let page = FiltersPage {
        layout: signed_in.layout(Section::Components),
        choices: choices(&store, &asked).await?,
        kept: asked.pairs_but(&known),
        absent,
        ranges,
        asked,
    };
    Ok(Html(page.render()?))
}

fn absent(asked: &ListQuery, column: Column) -> Absent {
    let name = format!("{}__isnull", column.as_str());
    let chosen = asked.value(&name) == "true";
    Absent { name, label: column::inline(column::label(column)), chosen }
}

fn between((column, range): (Column, Range)) -> Between {
    let days = range == Range::Day;
    let label = format!("{}{}", column::label(column), if days { " (UTC)" } else { "" });
    Between { label, name: column.as_str(), days, ends: chip::bounds(column) }
}

/// What is offered. Columns of which nothing is chosen are counted at once.
async fn choices(store: &Store, asked: &ListQuery) -> Result<Vec<Choice>, ReadError> {
    let alone =
        |offered: &Offered| !offered.several && asked.values(offered.column.as_str()).next().is_some();
    let together: Vec<_> =
        OFFERED.iter().filter(|offered| !alone(offered)).map(|offered| offered.column).collect();
    let chosen: Vec<_> = OFFERED.iter().filter(|offered| alone(offered)).collect();
    let count = async |asked: ListQuery, columns: &[Column]| match asked.query() {
        Some(query) => store.facets_at_once(&query, columns, VALUES).await,
        None => Ok(Vec::new()),
    };
    let mut counted: Vec<_> = together.iter().copied().zip(count(asked.clone(), &together).await?).collect();
    for offered in chosen {
        // What is chosen does not hide the other values, where only one can be chosen.
        let column = offered.column;
        let facets = count(asked.dropping(column.as_str()), &[column]).await?;
        counted.extend(facets.into_iter().map(|facets| (column, facets)));
    }
    let choice = |offered: Offered| {
        let facets = counted.iter().find(|(column, _)| *column == offered.column);
        choice(asked, offered, facets.map(|(_, facets)| facets))
    };
    Ok(OFFERED.into_iter().map(choice).collect())
}

fn choice(asked: &ListQuery, Offered { column, several, open }: Offered, facets: Option<&Facets>) -> Choice {
    let name = column.as_str();
    let chosen: Vec<_> = asked.values(name).collect();
    let mut options: Vec<_> = Vec::new();
    for facet in facets.iter().flat_map(|facets| &facets.values) {
        let Some(value) = facet.value.clone() else { continue };
        let more = if facets.is_some_and(|facets| facets.partial) { "+" } else { "" };
        let chosen = chosen.contains(&value.as_str());
        options.push(ChoiceOption { value, count: Some(format!("{}{more}", Count(facet.count))), chosen });
    }
    for value in chosen {
        if !options.iter().any(|option| option.value == value) {
            options.push(ChoiceOption { value: value.to_owned(), count: None, chosen: true });
        }
    }
    let more = facets.is_some_and(|facets| facets.more || facets.partial);
    let more = more.then(|| asked.beside(&format!("{PATH}/{name}")));
    let open = open || options.iter().any(|option| option.chosen);
    Choice { name, label: column::label(column), several, open, options, more }
}

#[derive(Template)]
#[template(path = "values.html")]
struct ValuesPage {
    layout: Layout,
    label: &'static str,
    values: Vec<Value>,
    /// Whether there are yet more.
    more: bool,
    list: String,
}

/// A value and the list of the components that have it.
struct Value {
    text: Option<String>,
    count: u64,
    address: String,
}

/// All values of one column, counted among all components.
async fn values(
    signed_in: SignedIn,
    State(store): State<Store>,
    Path(name): Path<String>,
    Parameters(fields): Parameters,
) -> Result<Html<String>, Failure> {
    let offered = OFFERED.iter().find(|offered| offered.column.as_str() == name);
    let offered = offered.ok_or(Failure::NotFound("This filter does not exist.".to_owned()))?;
    let (asked, name) = (ListQuery::read(&fields), offered.column.as_str());
    let none = format!("{name}__isnull");
    // Of those that can be chosen together one is added, of others one takes the place of another.
    let list = if offered.several { asked.clone() } else { asked.dropping(name).dropping(&none) };
    let facets = match list.query() {
        Some(query) => Some(store.facets(&query, offered.column, Store::MAX_FACETS).await?),
        None => None,
    };
    let more = facets.as_ref().is_some_and(|facets| facets.more);
    let values = facets.into_iter().flat_map(|facets| facets.values).map(|facet| Value {
        address: match &facet.value {
            Some(value) => list.adding(name, value),
            None => list.adding(&none, "true"),
        },
        count: facet.count,
        text: facet.value,
    });
    let page = ValuesPage {
        layout: signed_in.layout(Section::Components),
        label: column::label(offered.column),
        values: values.collect(),
        more,
        list: asked.first(),
    };
    Ok(Html(page.render()?))
}
