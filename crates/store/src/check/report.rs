//! What a check finds.

use inventory_core::Seq;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckReport {
    /// Components that were looked at.
    pub components: u64,
    /// Events that were looked at.
    pub events: u64,
    /// The last event.
    pub head: Seq,
    /// Every violation, as a sentence that names the row or event. At most [`CheckReport::MAX_VIOLATIONS`].
    pub violations: Vec<String>,
    /// How many more violations there are than are listed.
    pub more: u64,
}

impl CheckReport {
    /// How many violations are listed.
    pub const MAX_VIOLATIONS: usize = 100;

    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.violations.is_empty()
    }

    pub(super) fn violation(&mut self, sentence: String) {
        if self.violations.len() < Self::MAX_VIOLATIONS {
            self.violations.push(sentence);
        } else {
            self.more += 1;
        }
    }
}
