//! How many streams a process keeps open at once, and how many of them one client may have.

use std::{
    collections::HashMap,
    fmt::Debug,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The open streams of a process, counted by client. Clones are the same.
#[derive(Debug, Clone)]
pub struct StreamLimiter<K> {
    total: usize,
    share: usize,
    open: Arc<Mutex<Open<K>>>,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Open<K> {
    total: usize,
    by_client: HashMap<K, usize>,
}

/// Why no further stream is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamsFull {
    /// The client has this many open, which is its share.
    Share(usize),
    /// The process has this many open, which is its limit.
    Total(usize),
}

impl<K: Eq + Hash + Clone> StreamLimiter<K> {
    /// A limit on all streams, and one on those of each client.
    pub fn new(total: usize, share: usize) -> Self {
        let open = Open { total: 0, by_client: HashMap::new() };
        Self { total, share, open: Arc::new(Mutex::new(open)), stop: CancellationToken::new() }
    }

    /// Counts a stream of a client until what is returned is dropped.
    pub fn open(&self, client: K) -> Result<OpenStream<K>, StreamsFull> {
        let mut open = lock(&self.open);
        if open.by_client.get(&client).is_some_and(|count| *count >= self.share) {
            return Err(StreamsFull::Share(self.share));
        }
        if open.total >= self.total {
            return Err(StreamsFull::Total(self.total));
        }
        open.total += 1;
        *open.by_client.entry(client.clone()).or_default() += 1;
        Ok(OpenStream { client, open: Arc::clone(&self.open) })
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        lock(&self.open).total
    }

    /// Says that the process stops.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until the process stops, which ends every stream.
    pub fn stopped(&self) -> WaitForCancellationFutureOwned {
        self.stop.clone().cancelled_owned()
    }
}

/// A stream that is open and counted.
#[derive(Debug)]
pub struct OpenStream<K: Eq + Hash> {
    client: K,
    open: Arc<Mutex<Open<K>>>,
}

impl<K: Eq + Hash> Drop for OpenStream<K> {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        open.total -= 1;
        if let Some(count) = open.by_client.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                open.by_client.remove(&self.client);
            }
        }
    }
}

fn lock<K>(open: &Mutex<Open<K>>) -> MutexGuard<'_, Open<K>> {
    // Nothing that is done under this lock panics halfway.
    open.lock().unwrap_or_else(PoisonError::into_inner)
}
