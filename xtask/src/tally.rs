//! What the suites said, added up.

use std::{collections::BTreeMap, fmt};

/// How a test that cannot run on this machine says so, at the beginning of a line of its output. It then
/// returns, so the test harness counts it among those that passed.
const SKIPPED: &str = "SKIPPED: ";
/// How the harness of Rust sums up a suite.
const RESULT: &str = "test result: ";

/// Tests by what became of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Those that the harness counted, with the skipped ones among them.
    returned: usize,
    pub(crate) failed: usize,
    /// Why tests were skipped, and how many for each reason.
    skipped: BTreeMap<String, usize>,
    /// How many of the skipped ones returned, instead of never having started.
    returned_early: usize,
}

impl Tally {
    /// Takes in a line that a suite printed.
    pub(crate) fn read(&mut self, line: &str) {
        if let Some(reason) = line.strip_prefix(SKIPPED) {
            self.returned_early += 1;
            *self.skipped.entry(reason.trim().to_owned()).or_default() += 1;
        } else if let Some((_, counts)) = line.strip_prefix(RESULT).and_then(|result| result.split_once(". "))
        {
            let count = |name: &str| {
                let count =
                    counts.split("; ").find_map(|count| count.strip_suffix(name)?.trim().parse().ok());
                count.unwrap_or(0)
            };
            self.returned += count(" passed");
            self.failed += count(" failed");
            match count(" ignored") {
                0 => {}
                ignored => *self.skipped.entry("marked to be ignored".to_owned()).or_default() += ignored,
            }
        }
    }

    pub(crate) fn pass(&mut self) {
        self.returned += 1;
    }

    pub(crate) fn fail(&mut self) {
        self.failed += 1;
    }

    pub(crate) fn skip(&mut self, reason: impl Into<String>) {
        *self.skipped.entry(reason.into()).or_default() += 1;
    }

    pub(crate) fn reasons(&self) -> impl Iterator<Item = (&str, usize)> {
        self.skipped.iter().map(|(reason, count)| (reason.as_str(), *count))
    }

    pub(crate) fn skipped(&self) -> usize {
        self.skipped.values().sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passed = self.returned.saturating_sub(self.returned_early);
        write!(f, "{passed} passed, {} failed, {} skipped", self.failed, self.skipped())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_added_up_and_skipped_tests_did_not_pass() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "SKIPPED: there is no promtool",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 9 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.20s",
        ] {
            tally.read(line);
        }
        tally.pass();
        tally.skip("there is no promtool");
        assert_eq!(tally.to_string(), "12 passed, 2 failed, 3 skipped");
        let reasons: Vec<_> = tally.reasons().collect();
        assert_eq!(reasons, [("marked to be ignored", 1), ("there is no promtool", 2)]);
    }
}
