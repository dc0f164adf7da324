//! Times and numbers as pages show them.

use std::fmt;

use time::OffsetDateTime;

/// A moment: text in UTC, which a script shows in the zone of the viewer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(pub(crate) OffsetDateTime);

impl Moment {
    /// The same from where templates have it.
    pub(crate) fn of(at: &OffsetDateTime) -> Self {
        Self(*at)
    }

    /// As HTML writes it, to the second.
    pub(crate) fn machine(&self) -> String {
        let at = self.0;
        format!(
            "{}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        )
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.0;
        write!(
            f,
            "{}-{:02}-{:02} {:02}:{:02} UTC",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute()
        )
    }
}

/// A number with commas between its thousands.
pub(crate) struct Count(pub(crate) u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn numbers_and_times_are_easy_to_read() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(Count(number).to_string(), text);
        }
        let at = Moment(datetime!(2027-01-15 08:05:03 UTC));
        assert_eq!(
            (at.to_string().as_str(), at.machine().as_str()),
            ("2027-01-15 08:05 UTC", "2027-01-15T08:05:03Z")
        );
    }
}
