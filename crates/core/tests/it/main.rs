//! The bus and its subscribers, over a log in memory.

#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod bus;
mod subscribers;

use std::sync::Arc;

use inventory_core::{Actor, Clock, ComponentCreated, ComponentDeleted, ComponentId, Event, NewComponent};

/// A creation, or every third time a deletion.
pub(crate) fn event(n: u64) -> Event {
    let component = NewComponent::named(format!("n{n}").parse().unwrap())
        .create(ComponentId::generate(), Clock::system().now(), Actor::cli())
        .unwrap();
    let component = Arc::new(component);
    if n.is_multiple_of(3) {
        ComponentDeleted { component }.into()
    } else {
        ComponentCreated { component }.into()
    }
}
