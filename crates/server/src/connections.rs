//! The connections of a listener: a limit on all, a limit on those from one address, and what happens at a limit.
//!
//! At a limit the oldest idle connection is closed for a new one. Where none is idle, the new connection takes one of a
//! few reserved places, in which only health checks and metrics are answered. Where those are taken, too, it is closed.

use std::{
    collections::HashMap,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::future::{AbortHandle, AbortRegistration, Abortable};
use hyper::body::{Body, Frame, SizeHint};
use inventory_http::{Client, TrustedProxies};
use pin_project_lite::pin_project;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One in this number of a listener's connections is reserved, …
const RESERVED_SHARE: usize = 8;
/// … and at most this.
const MAX_RESERVED: usize = 16;
/// One address may have this fraction of the other connections: 1 / `PEER_SHARE`. A trusted proxy may have
/// all.
const PEER_SHARE: usize = 2;
/// When room is needed, this fraction of the open connections is closed at once: 1 / `CLOSED_SHARE`. Finding
/// them takes time linear in the number of open connections.
const CLOSED_SHARE: usize = 64;
/// For how long no connection must have met a limit for the limit to be logged as over.
const QUIET: Duration = Duration::from_secs(5);

/// How many connections a listener may hold.
#[derive(Debug, Clone, Copy)]
struct Limits {
    ordinary: usize,
    reserved: usize,
    per_peer: usize,
}

impl Limits {
    /// The limits of a listener with the given total of connections.
    fn new(connections: usize) -> Self {
        let reserved = (connections / RESERVED_SHARE).clamp(1, MAX_RESERVED);
        let ordinary = connections.saturating_sub(reserved).max(1);
        Self { ordinary, reserved, per_peer: (ordinary / PEER_SHARE).max(1) }
    }
}

/// The connections of one listener. Clones are the same.
#[derive(Clone)]
pub(crate) struct Connections(Arc<Shared>);

struct Shared {
    listener: &'static str,
    limits: Limits,
    trusted_proxies: TrustedProxies,
    /// Held for as long as a connection has its descriptor.
    descriptors: Arc<Semaphore>,
    /// What the times of [`Activity`] count from.
    start: Instant,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    entries: HashMap<u64, Entry>,
    next: u64,
    per_peer: HashMap<IpAddr, usize>,
    reserved: usize,
    overload: Option<Overload>,
}

struct Entry {
    peer: IpAddr,
    reserved: bool,
    activity: Arc<Activity>,
    close: AbortHandle,
}

/// Since when connections meet a limit, and what became of them.
struct Overload {
    since: Instant,
    last: Instant,
    closed: u64,
    limited: u64,
    refused: u64,
}

/// Since when a connection is idle.
struct Activity {
    start: Instant,
    /// In nanoseconds since the start; or [`BUSY`], or [`CLOSED`].
    idle_since: AtomicU64,
}

/// A request is being answered.
const BUSY: u64 = u64::MAX;
/// The connection was chosen to be closed. It takes no further request.
const CLOSED: u64 = u64::MAX - 1;

impl Connections {
    pub(crate) fn new(listener: &'static str, connections: usize, trusted_proxies: TrustedProxies) -> Self {
        let limits = Limits::new(connections);
        Self(Arc::new(Shared {
            listener,
            limits,
            trusted_proxies,
            descriptors: Arc::new(Semaphore::new(limits.ordinary + limits.reserved)),
            start: Instant::now(),
            table: Mutex::default(),
        }))
    }

    /// Takes a connection, or returns `None` where it must be closed. Waits until those are closed that make room.
    pub(crate) async fn admit(&self, peer: IpAddr) -> Option<Admitted> {
        let peer = Client { address: peer.to_canonical(), secure: false };
        let limited = !self.0.trusted_proxies.trust(peer.address);
        let (held, closed) = self.take(peer.network(), limited)?;
        let descriptor = Arc::clone(&self.0.descriptors).acquire_owned().await.ok()?;
        Some(Admitted { held, closed, descriptor })
    }

    fn take(&self, peer: IpAddr, limited: bool) -> Option<(Held, AbortRegistration)> {
        let Limits { ordinary, reserved, per_peer } = self.0.limits;
        let mut table = self.table();
        let of_peer = table.per_peer.get(&peer).copied().unwrap_or(0);
        let fits = if limited && of_peer >= per_peer {
            self.close_idle(&mut table, |entry| !entry.reserved && entry.peer == peer)
        } else if table.entries.len() - table.reserved >= ordinary {
            self.close_idle(&mut table, |entry| !entry.reserved)
        } else {
            true
        };
        if !fits {
            self.overload(&mut table).limited += 1;
            if table.reserved >= reserved && !self.close_idle(&mut table, |entry| entry.reserved) {
                self.overload(&mut table).refused += 1;
                return None;
            }
        }
        let activity = Arc::new(Activity::new(self.0.start));
        let (close, closed) = AbortHandle::new_pair();
        let entry = Entry { peer, reserved: !fits, activity: Arc::clone(&activity), close };
        let held = Held { connections: self.clone(), id: table.add(entry), reserved: !fits, activity };
        Some((held, closed))
    }

    /// Closes the oldest idle connections among these; whether there was one.
    fn close_idle(&self, table: &mut Table, among: impl Fn(&Entry) -> bool) -> bool {
        let mut idle: Vec<_> = table
            .entries
            .iter()
            .filter(|(_, entry)| among(entry))
            .map(|(&id, entry)| (entry.activity.idle_since.load(Ordering::Acquire), id))
            .filter(|&(since, _)| since != BUSY)
            .collect();
        let count = idle.len().div_ceil(CLOSED_SHARE);
        if count < idle.len() {
            idle.select_nth_unstable(count);
        }
        let mut closed = 0;
        for (since, id) in idle.into_iter().take(count) {
            // Not where a request has come in this moment.
            let chosen = table.entries.get(&id).is_some_and(|entry| entry.activity.close(since));
            if chosen && let Some(entry) = table.remove(id) {
                entry.close.abort();
                closed += 1;
            }
        }
        self.overload(table).closed += closed;
        closed > 0
    }

    /// Notes that a connection met a limit, and logs the first.
    fn overload<'a>(&self, table: &'a mut Table) -> &'a mut Overload {
        let now = Instant::now();
        let Limits { ordinary, reserved: _, per_peer } = self.0.limits;
        let overload = table.overload.get_or_insert_with(|| {
            tracing::warn!(
                listener = self.0.listener,
                limit = ordinary,
                limit_per_address = per_peer,
                "connection limit reached, closing the oldest idle connections"
            );
            Overload { since: now, last: now, closed: 0, limited: 0, refused: 0 }
        });
        overload.last = now;
        overload
    }

    /// Logs that no connection meets a limit any more, where that is so.
    pub(crate) fn log_end_of_overload(&self) {
        let ended = self.table().overload.take_if(|overload| overload.last.elapsed() >= QUIET);
        if let Some(Overload { since, last, closed, limited, refused }) = ended {
            tracing::info!(
                listener = self.0.listener,
                duration_ms = u64::try_from((last - since).as_millis()).unwrap_or(u64::MAX),
                closed_connections = closed,
                limited_connections = limited,
                refused_connections = refused,
                "below the connection limit again"
            );
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn add(&mut self, entry: Entry) -> u64 {
        let id = self.next;
        self.next += 1;
        self.reserved += usize::from(entry.reserved);
        if !entry.reserved {
            *self.per_peer.entry(entry.peer).or_default() += 1;
        }
        self.entries.insert(id, entry);
        id
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.reserved -= usize::from(entry.reserved);
        if !entry.reserved
            && let Some(count) = self.per_peer.get_mut(&entry.peer)
        {
            *count -= 1;
            if *count == 0 {
                self.per_peer.remove(&entry.peer);
            }
        }
        Some(entry)
    }
}

impl Activity {
    /// A connection that is idle from now on.
    fn new(start: Instant) -> Self {
        let activity = Self { start, idle_since: AtomicU64::new(BUSY) };
        activity.end();
        activity
    }

    /// Closes a connection that has been idle since then; whether it still was.
    fn close(&self, since: u64) -> bool {
        self.idle_since.compare_exchange(since, CLOSED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Begins a request, unless the connection is about to be closed.
    fn begin(&self) -> bool {
        let busy = |activity| (activity != CLOSED).then_some(BUSY);
        self.idle_since.fetch_update(Ordering::AcqRel, Ordering::Acquire, busy).is_ok()
    }

    /// Ends a request.
    fn end(&self) {
        // 500 years of nanoseconds are below `CLOSED`.
        let now = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(CLOSED - 1);
        self.idle_since.store(now, Ordering::Release);
    }
}

/// A connection that was taken. Its socket must be dropped before this.
pub(crate) struct Admitted {
    pub(crate) held: Held,
    closed: AbortRegistration,
    descriptor: OwnedSemaphorePermit,
}

impl Admitted {
    /// Runs what serves the connection until it ends or the connection is closed for another one.
    pub(crate) async fn run(self, serve: impl Future<Output = ()>) {
        let Self { held, closed, descriptor } = self;
        let _aborted = Abortable::new(serve, closed).await;
        drop((held, descriptor));
    }
}

/// The place of a connection among the others.
pub(crate) struct Held {
    connections: Connections,
    id: u64,
    /// Only health checks and metrics are answered.
    pub(crate) reserved: bool,
    activity: Arc<Activity>,
}

impl Held {
    /// What marks the connection as busy while it answers.
    pub(crate) fn requests(&self) -> Requests {
        Requests(Arc::clone(&self.activity))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.connections.table().remove(self.id);
    }
}

/// The requests of a connection, one at a time.
pub(crate) struct Requests(Arc<Activity>);

impl Requests {
    /// Begins a request, unless the connection is about to be closed.
    pub(crate) fn begin(&self) -> Option<Busy> {
        self.0.begin().then(|| Busy(Arc::clone(&self.0)))
    }
}

/// Keeps a connection from being idle.
pub(crate) struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.end();
    }
}

pin_project! {
    /// The body of an answer, whose connection is busy until it is sent.
    pub(crate) struct BusyBody<B> {
        #[pin]
        body: B,
        busy: Busy,
    }
}

impl<B> BusyBody<B> {
    pub(crate) fn new(body: B, busy: Busy) -> Self {
        Self { body, busy }
    }
}

impl<B: Body> Body for BusyBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().body.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 14 ordinary connections, 7 of one address, and 2 reserved ones.
    fn connections(trusted_proxies: &str) -> Connections {
        let trusted_proxies = if trusted_proxies.is_empty() {
            TrustedProxies::default()
        } else {
            trusted_proxies.parse().unwrap()
        };
        Connections::new("test", 16, trusted_proxies)
    }

    fn take(connections: &Connections, peer: &str, count: usize) -> Vec<Held> {
        let peer = peer.parse().unwrap();
        let limited = !connections.0.trusted_proxies.trust(peer);
        (0..count).map(|_| connections.take(peer, limited).unwrap().0).collect()
    }

    fn closed(held: &[Held]) -> Vec<usize> {
        let closed = |held: &Held| held.activity.idle_since.load(Ordering::Acquire) == CLOSED;
        held.iter().enumerate().filter(|(_, held)| closed(held)).map(|(at, _)| at).collect()
    }

    #[test]
    fn an_address_at_its_limit_makes_room_for_itself() {
        let connections = connections("");
        let other = take(&connections, "192.0.2.2", 1);
        let held = take(&connections, "192.0.2.1", 7);
        // The first is not the oldest idle one any more.
        drop(held[0].requests().begin());
        let next = take(&connections, "192.0.2.1", 1);
        assert_eq!((closed(&other), closed(&held), next[0].reserved), (vec![], vec![1], false));
        assert!(held[1].requests().begin().is_none(), "a connection that is being closed takes a request");
    }

    #[test]
    fn the_oldest_idle_connection_of_all_makes_room() {
        let connections = connections("192.0.2.9");
        let mut held = take(&connections, "192.0.2.1", 3);
        held.extend(take(&connections, "192.0.2.9", 11));
        let busy = held[0].requests().begin();
        let next = take(&connections, "192.0.2.2", 1);
        assert_eq!((closed(&held), next[0].reserved), (vec![1], false));
        drop(busy);
    }

    #[test]
    fn where_all_are_busy_a_few_more_are_taken_for_health_checks() {
        let connections = connections("");
        let mut held = take(&connections, "192.0.2.1", 7);
        held.extend(take(&connections, "192.0.2.2", 7));
        let busy: Vec<_> = held.iter().map(|held| held.requests().begin()).collect();
        let reserved = take(&connections, "192.0.2.3", 2);
        assert!(reserved.iter().all(|held| held.reserved) && closed(&held).is_empty());
        // An idle one of them makes room, a busy one does not.
        let busy_too = reserved[0].requests().begin();
        let next = take(&connections, "192.0.2.3", 1);
        assert_eq!((closed(&reserved), next[0].reserved), (vec![1], true));
        let busy_as_well = next[0].requests().begin();
        assert!(connections.take("192.0.2.3".parse().unwrap(), true).is_none());
        drop((busy, busy_too, busy_as_well));
        // What has ended makes room for an ordinary one.
        drop(held.pop());
        assert!(!take(&connections, "192.0.2.3", 1)[0].reserved);
    }
}
