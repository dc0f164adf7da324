//! What clients were told about their writes.

use std::collections::{BTreeMap, BTreeSet};

/// What clients were told about their writes. Each component must be changed by one client at a time.
#[derive(Debug, Clone, Default)]
pub struct Acknowledged {
    /// The version of each component that was told, or `None` for one that was deleted.
    pub(crate) components: BTreeMap<String, Option<u64>>,
    /// Components whose last change was not answered, or answered with a failure that leaves it open.
    pub(crate) uncertain: BTreeSet<String>,
    /// How many components there may be whose creation was not answered.
    pub(crate) unanswered: u64,
}

impl Acknowledged {
    /// A component was created or changed, and is at this version.
    pub fn stored(&mut self, id: &str, version: u64) {
        self.components.insert(id.to_owned(), Some(version));
    }

    /// A component was deleted.
    pub fn deleted(&mut self, id: &str) {
        self.components.insert(id.to_owned(), None);
    }

    /// A change of a component may have been carried out or not.
    pub fn uncertain(&mut self, id: &str) {
        self.uncertain.insert(id.to_owned());
    }

    /// Notes creations without an answer, which may have been carried out or not.
    pub fn unanswered(&mut self, creations: u64) {
        self.unanswered += creations;
    }

    /// Adds what another client was told.
    pub fn merge(&mut self, other: Self) {
        let Self { components, uncertain, unanswered } = other;
        self.components.extend(components);
        self.uncertain.extend(uncertain);
        self.unanswered += unanswered;
    }

    /// A component that is certainly there.
    pub fn any_stored(&self) -> Option<(String, u64)> {
        let certain = |(id, version): (&String, &Option<u64>)| {
            version.filter(|_| !self.uncertain.contains(id)).map(|version| (id.clone(), version))
        };
        self.components.iter().find_map(certain)
    }

    /// How many components are certainly there.
    pub fn count(&self) -> usize {
        self.components.values().flatten().count()
    }
}
