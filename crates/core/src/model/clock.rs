//! What time it is.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use time::OffsetDateTime;

/// A source of the current time, so that tests can say what time it is.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still until [`Clock::set`] moves it.
    pub fn fixed(at: OffsetDateTime) -> Self {
        Self(Some(Arc::new(AtomicI64::new(micros(at)))))
    }

    /// Moves a fixed clock, and with it all its clones. The machine's clock is left alone.
    pub fn set(&self, at: OffsetDateTime) {
        if let Some(fixed) = &self.0 {
            fixed.store(micros(at), Ordering::SeqCst);
        }
    }

    /// The current time in UTC, cut to microseconds, which is what the database keeps.
    pub fn now(&self) -> OffsetDateTime {
        from_micros(match &self.0 {
            Some(fixed) => fixed.load(Ordering::SeqCst),
            None => micros(OffsetDateTime::now_utc()),
        })
    }
}

/// A time as microseconds since 1970-01-01T00:00:00Z.
pub fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
}

/// Converts microseconds since 1970-01-01T00:00:00Z. Times after the year 9999 become 1970.
pub fn from_micros(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Times as text (RFC 3339), for `#[serde(with)]`. Unlike `time::serde::rfc3339` it writes without allocating
/// a string, which saves hundreds of allocations for a page of components.
pub mod rfc3339 {
    use serde::{Serializer, ser::Error};
    pub use time::serde::rfc3339::deserialize;
    use time::{OffsetDateTime, format_description::well_known::Rfc3339};

    /// The longest text, in bytes: `9999-12-31T23:59:59.999999999+23:59`.
    const MAX_BYTES: usize = 35;

    /// Writes a time.
    pub fn serialize<S: Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; MAX_BYTES];
        let mut rest = &mut text[..];
        at.format_into(&mut rest, &Rfc3339).map_err(S::Error::custom)?;
        let length = MAX_BYTES - rest.len();
        serializer.serialize_str(std::str::from_utf8(&text[..length]).map_err(S::Error::custom)?)
    }
}
