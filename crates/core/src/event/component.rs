//! What can happen to a component.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::component::{Component, Field};

/// A component came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentCreated {
    /// As it was created.
    pub component: Arc<Component>,
}

/// A component was changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentUpdated {
    /// As it was.
    pub before: Arc<Component>,
    /// As it is now.
    pub after: Arc<Component>,
    /// The fields whose value differs.
    pub changed: Vec<Field>,
}

/// A component is no more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentDeleted {
    /// As it last was.
    pub component: Arc<Component>,
}

impl ComponentCreated {
    pub(super) fn subject(&self) -> String {
        self.component.id.subject()
    }
}

impl ComponentUpdated {
    pub(super) fn subject(&self) -> String {
        self.after.id.subject()
    }
}

impl ComponentDeleted {
    pub(super) fn subject(&self) -> String {
        self.component.id.subject()
    }
}

#[cfg(test)]
mod tests {
    use crate::Event;

    #[test]
    fn an_event_of_the_first_release_can_still_be_read() {
        let data = r#"{"component":{"id":"01930b6e-0000-7000-8000-000000000007","sku":null,"name":"74HC00",
            "description":"","notes":"","manufacturer":null,"mpn":null,"barcode":null,"unit":"pcs",
            "min_quantity":"0","unit_cost":null,"currency":null,"datasheet_url":null,"tags":[],
            "custom_fields":{},"status":"active","created_at":"2026-11-22T08:00:00.000000Z",
            "created_by":"cli","updated_at":"2026-11-22T08:00:00.000000Z","updated_by":"cli","version":1}}"#;
        let event = Event::decode("component.created", 1, "components/1", data);
        assert!(matches!(event, Ok(Event::ComponentCreated(_))), "{event:?}");
    }
}
