//! Refused sign-ins. Each is counted and logged. Only a limited number becomes separate events, so that
//! nobody can fill the event log, which is kept for ever.

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU64,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use inventory_core::{SignInRefusal, UserId};
use tokio::time::Instant;

/// The time over which events are counted, and after which the refusals without an event become one.
pub(super) const WINDOW: Duration = Duration::from_mins(1);
/// How many events a network causes in that time at most.
const MAX_EVENTS_OF_A_NETWORK: usize = 10;
/// How many events a process writes in that time at most, beside the one for the rest.
const MAX_EVENTS: usize = 60;

/// A sign-in that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) user: Option<UserId>,
    pub(super) address: IpAddr,
    pub(super) reason: SignInRefusal,
}

/// What becomes of a refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is an event.
    Event,
    /// It is one of those that become an event together. It is the first of them where this is `true`.
    Rest(bool),
}

/// The refusals of one process. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refusals(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    total: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When events were written within the last [`WINDOW`], oldest first, and for which network.
    events: VecDeque<(Instant, IpAddr)>,
    /// The last refusal without an event, and how many there are.
    rest: Option<(Refused, NonZeroU64)>,
}

impl Refusals {
    /// How many there were.
    pub(crate) fn total(&self) -> u64 {
        self.0.total.load(Ordering::Relaxed)
    }

    /// Counts a refusal.
    pub(super) fn add(&self, refused: Refused, now: Instant) -> Fate {
        self.0.total.fetch_add(1, Ordering::Relaxed);
        let network = network(refused.address);
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.events.front().is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            state.events.pop_front();
        }
        let of_network = state.events.iter().filter(|(_, other)| *other == network).count();
        if state.events.len() < MAX_EVENTS && of_network < MAX_EVENTS_OF_A_NETWORK {
            state.events.push_back((now, network));
            return Fate::Event;
        }
        let count = state.rest.map_or(NonZeroU64::MIN, |(_, count)| count.saturating_add(1));
        state.rest = Some((refused, count));
        Fate::Rest(count == NonZeroU64::MIN)
    }

    /// The refusals that are to become one event, which are then forgotten.
    pub(super) fn take_rest(&self) -> Option<(Refused, NonZeroU64)> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).rest.take()
    }
}

/// What stands for one client: of an IPv6 address the first 64 bits, since a subscriber has all the rest.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(address: impl Into<IpAddr>) -> Refused {
        Refused { user: None, address: address.into(), reason: SignInRefusal::UnknownUser }
    }

    #[test]
    fn a_network_and_a_process_cause_so_many_events_in_any_minute() {
        let (refusals, start) = (Refusals::default(), Instant::now());
        let add =
            |address: IpAddr, seconds| refusals.add(refused(address), start + Duration::from_secs(seconds));
        let subscriber = |host| Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, host).into();
        for host in 0..10 {
            assert_eq!(add(subscriber(host), 0), Fate::Event);
        }
        assert_eq!(add(subscriber(10), 30), Fate::Rest(true));
        assert_eq!(add(subscriber(11), 59), Fate::Rest(false));
        for last in 0..50 {
            assert_eq!(add([192, 0, 2, last].into(), 59), Fate::Event);
        }
        assert_eq!(add([192, 0, 2, 50].into(), 59), Fate::Rest(false));
        // The first ten are a minute old, and the others are not.
        for last in 60..70 {
            assert_eq!(add([192, 0, 2, last].into(), 60), Fate::Event);
        }
        let last = [192, 0, 2, 80];
        assert_eq!(add(last.into(), 61), Fate::Rest(false));
        assert_eq!(refusals.take_rest(), Some((refused(last), NonZeroU64::new(4).unwrap())));
        assert_eq!(refusals.take_rest(), None);
        assert_eq!(add(last.into(), 61), Fate::Rest(true));
        assert_eq!(refusals.total(), 75);
    }
}
