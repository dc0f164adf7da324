//! What has to be done from time to time, off every request's path.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use inventory_core::{Clock, CoreTask};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};
use tokio_util::sync::CancellationToken;

use crate::{
    access::{self, TokenCache},
    count,
    database::Database,
    idempotency, search, staging,
};

/// How often the deltas of the count are summed up. Between two times a scrape adds up at most what was
/// written meanwhile.
const COMPACTION_INTERVAL: Duration = Duration::from_secs(5);
/// How often the count is compared with `COUNT(*)`, after a first time at the start.
const AUDIT_INTERVAL: Duration = Duration::from_hours(1);
/// How often it is written down when tokens were last used.
const USES_INTERVAL: Duration = Duration::from_mins(1);
/// How often idempotency keys, sessions and staged files are forgotten whose time is over.
const PURGE_INTERVAL: Duration = Duration::from_hours(1);

/// How often the size of SQLite's write-ahead log is looked at.
const WAL_INTERVAL: Duration = Duration::from_secs(10);
/// How often what waits for the index of the search is put into it.
const INDEXING_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) struct Maintenance {
    pub(crate) database: Database,
    pub(crate) clock: Clock,
    pub(crate) tokens: TokenCache,
    /// What the last audit of the count found.
    pub(crate) drift: Arc<AtomicI64>,
    pub(crate) stop: CancellationToken,
}

impl CoreTask for Maintenance {
    const NAME: &'static str = "maintenance";

    async fn run(&mut self) {
        let mut compaction = interval(COMPACTION_INTERVAL);
        let mut audit = interval(AUDIT_INTERVAL);
        let mut uses = interval_at(Instant::now() + USES_INTERVAL, USES_INTERVAL);
        let mut purge = interval_at(Instant::now() + PURGE_INTERVAL, PURGE_INTERVAL);
        let mut indexing = interval(INDEXING_INTERVAL);
        let mut wal = interval(WAL_INTERVAL);
        let mut unindexed = 0;
        for timer in [&mut compaction, &mut audit, &mut uses, &mut purge, &mut indexing, &mut wal] {
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return self.write_uses().await,
                _ = compaction.tick() => {
                    if let Err(error) = count::compact(&self.database).await {
                        tracing::warn!(%error, "the deltas of the component count could not be summed up");
                    }
                }
                _ = audit.tick() => self.audit().await,
                _ = uses.tick() => self.write_uses().await,
                _ = purge.tick() => self.purge().await,
                _ = wal.tick() => {
                    if let Err(error) = self.database.truncate_wal().await {
                        tracing::warn!(%error, "failed to truncate the write-ahead log");
                    }
                }
                _ = indexing.tick() => {
                    match search::index_some(&self.database, unindexed, &self.stop).await {
                        Ok(waiting) => unindexed = waiting,
                        Err(error) => {
                            tracing::warn!(%error, "what was written could not be put into the index of the search");
                        }
                    }
                }
            }
        }
    }
}

impl Maintenance {
    async fn write_uses(&self) {
        if let Err(error) = self.tokens.write_uses(&self.database).await {
            tracing::warn!(%error, "when tokens were last used could not be written down");
        }
    }

    async fn purge(&self) {
        let now = self.clock.now();
        if let Err(error) = idempotency::purge(&self.database, now).await {
            tracing::warn!(%error, "old idempotency keys could not be forgotten");
        }
        if let Err(error) = access::purge_sessions(&self.database, now).await {
            tracing::warn!(%error, "old sessions could not be forgotten");
        }
        if let Err(error) = staging::purge(&self.database, now).await {
            tracing::warn!(%error, "old uploads could not be forgotten");
        }
    }

    async fn audit(&self) {
        match count::audit(&self.database).await {
            Ok(audit) => {
                self.drift.store(audit.drift(), Ordering::Relaxed);
                if audit.drift() != 0 {
                    tracing::error!(
                        kept = audit.kept,
                        counted = audit.counted,
                        "the kept count of components is wrong: `inventory check --repair-count` mends it"
                    );
                }
            }
            Err(error) => tracing::warn!(%error, "the count of components could not be audited"),
        }
    }
}
