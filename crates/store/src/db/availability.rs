//! Whether the database answers, as the poll of the event log finds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use tokio::sync::watch;

/// Since when the database has not answered, and why.
#[derive(Debug, Clone)]
struct Outage {
    since: Instant,
    reason: Arc<str>,
}

/// Whether the database answers. One task probes it all the time; all others read the result here, so that a
/// request during an outage fails at once instead of waiting for its own timeout. Clones share the state.
#[derive(Debug, Clone)]
pub(crate) struct Availability {
    outage: Arc<watch::Sender<Option<Outage>>>,
    outages: Arc<AtomicU64>,
}

impl Default for Availability {
    fn default() -> Self {
        Self { outage: Arc::new(watch::Sender::new(None)), outages: Arc::default() }
    }
}

impl Availability {
    /// The database answered.
    pub(crate) fn answered(&self) {
        self.outage.send_if_modified(|outage| match outage.take() {
            Some(Outage { since, .. }) => {
                let duration_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
                tracing::info!(duration_ms, "database available again");
                true
            }
            None => false,
        });
    }

    /// The database did not answer.
    pub(crate) fn failed(&self, reason: &str) {
        self.outage.send_if_modified(|outage| {
            let begins = outage.is_none();
            if begins {
                tracing::error!(reason, "database unavailable");
                self.outages.fetch_add(1, Ordering::Relaxed);
                *outage = Some(Outage { since: Instant::now(), reason: reason.into() });
            }
            begins
        });
    }

    /// How many outages there were. What was connected before the last one may hang for ever.
    pub(crate) fn outages(&self) -> u64 {
        self.outages.load(Ordering::Relaxed)
    }

    /// An error that says why the database is away, if it is.
    pub(crate) fn check(&self) -> Result<(), String> {
        match &*self.outage.borrow() {
            Some(outage) => Err(outage.reason.to_string()),
            None => Ok(()),
        }
    }

    /// Waits for the database to go away and returns why.
    pub(crate) async fn lost(&self) -> String {
        let mut receiver = self.outage.subscribe();
        // Fails only without a sender, which this holds.
        let outage = receiver.wait_for(Option::is_some).await;
        match outage.as_deref() {
            Ok(Some(outage)) => outage.reason.to_string(),
            _ => "the database is unavailable".to_owned(),
        }
    }
}
