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

/// The time that is so many microseconds after 1970-01-01T00:00:00Z. Years past 9999 become 1970.
pub fn from_micros(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
