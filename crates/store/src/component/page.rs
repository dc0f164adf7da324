//! Pages of components.

use inventory_core::Component;

use crate::{
    component::{query::PageCursor, row::StoredComponent},
    error::ReadError,
};

/// A page of components.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T = Component> {
    /// The components, in the order that was asked for.
    pub items: Vec<T>,
    /// The place after which the next page begins; `None` on the last.
    pub next: Option<PageCursor>,
    /// The place before which the previous page ends; `None` on the first.
    pub previous: Option<PageCursor>,
    /// How many components meet the conditions on all pages together. With a search at most
    /// [`Query::MAX_FOUND`](crate::Query::MAX_FOUND), which then stands for as many or more.
    pub total: u64,
}

impl Page<StoredComponent> {
    /// The same with components that can be looked into.
    pub(crate) fn components(self) -> Result<Page, ReadError> {
        let Self { items, next, previous, total } = self;
        let items = items.iter().map(StoredComponent::component).collect::<Result<_, _>>()?;
        Ok(Page { items, next, previous, total })
    }
}
