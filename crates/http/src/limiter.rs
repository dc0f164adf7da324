//! How often something may be done by each of many.

use std::{
    hash::Hash,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DashMapStateStore,
};

/// The number of checks after which a limiter removes the keys whose quota is full again.
const SWEEP_CHECKS: u32 = 8192;

/// A limit for each key. Keys whose quota is full again are removed, so that the map stays about as large as
/// the number of recently active keys.
#[derive(Debug)]
pub struct Limiter<K: Hash + Eq + Clone> {
    states: RateLimiter<K, DashMapStateStore<K>, DefaultClock, StateInformationMiddleware>,
    clock: DefaultClock,
    checks: AtomicU32,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// Allows `burst` at once, and one more after each period.
    pub fn new(burst: NonZeroU32, period: Duration) -> Self {
        // There is no quota for a period of zero, which would be no limit.
        let quota = Quota::with_period(period).unwrap_or(Quota::per_second(NonZeroU32::MAX));
        Self::of(quota.allow_burst(burst))
    }

    /// Allows `a_second` per second, and `burst` at once.
    pub(crate) fn per_second(a_second: NonZeroU32, burst: NonZeroU32) -> Self {
        Self::of(Quota::per_second(a_second).allow_burst(burst))
    }

    fn of(quota: Quota) -> Self {
        let states = RateLimiter::dashmap(quota).with_middleware();
        Self { states, clock: DefaultClock::default(), checks: AtomicU32::new(0) }
    }

    /// Takes one, and tells how many more there are at once; or how long to wait for the next.
    pub fn check(&self, key: &K) -> Result<u32, Duration> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % SWEEP_CHECKS == SWEEP_CHECKS - 1 {
            self.states.retain_recent();
        }
        match self.states.check_key(key) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(until) => Err(until.wait_time_from(self.clock.now())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_not_seen_for_long_is_forgotten() {
        let limiter = Limiter::per_second(NonZeroU32::MAX, NonZeroU32::MAX);
        for number in 0..3 * SWEEP_CHECKS {
            limiter.check(&number).unwrap();
        }
        assert!(limiter.states.len() <= SWEEP_CHECKS as usize, "{}", limiter.states.len());
    }

    #[test]
    fn each_has_a_limit_of_their_own() {
        let limiter = Limiter::new(NonZeroU32::new(2).unwrap(), Duration::from_hours(1));
        assert_eq!((limiter.check(&"a"), limiter.check(&"a")), (Ok(1), Ok(0)));
        assert!(limiter.check(&"a").is_err_and(|wait| wait <= Duration::from_hours(1)));
        assert_eq!(limiter.check(&"b"), Ok(1));
    }
}
