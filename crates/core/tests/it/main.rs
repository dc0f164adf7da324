//! The bus and its subscribers, over a log in memory.

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
    if n % 3 == 0 { ComponentDeleted { component }.into() } else { ComponentCreated { component }.into() }
}
