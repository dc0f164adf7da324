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
