//! Components in the database: reads, filters, pages, searches and counts. Changes are made by `write`.

pub(crate) mod condition;
pub(crate) mod count;
pub(crate) mod dates;
pub(crate) mod facets;
pub(crate) mod listing;
pub(crate) mod lookup;
pub(crate) mod page;
pub(crate) mod query;
pub(crate) mod read;
pub(crate) mod row;
pub(crate) mod search;
pub(crate) mod search_index;
