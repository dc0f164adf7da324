//! What has to be done from time to time, off every request's path.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use inventory_core::{Clock, CoreTask};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    component::{count, search_index},
    db::database::Database,
    identity::{self, TokenCache},
    import_job,
    service_record::{self, LAST_BACKUP_AT},
    write,
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

/// How often it is looked up when a backup was last made.
const BACKUP_INTERVAL: Duration = Duration::from_mins(1);
/// How long the last of these writes may take, at the stop.
const LAST_WRITE_TIMEOUT: Duration = Duration::from_secs(2);
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
    /// When a backup was last made, in seconds since 1970.
    pub(crate) last_backup: Arc<AtomicU64>,
    pub(crate) stop: CancellationToken,
}

impl CoreTask for Maintenance {
    const NAME: &'static str = "maintenance";

    /// Runs until it is stopped, which breaks off what is under way.
    async fn run(&mut self) {
        let stop = self.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.work() => {}
        }
        if timeout(LAST_WRITE_TIMEOUT, self.write_uses()).await.is_err() {
            tracing::warn!("failed to record token last-used times in time");
        }
    }
}

impl Maintenance {
    async fn work(&self) {
        let mut compaction = interval(COMPACTION_INTERVAL);
        let mut audit = interval(AUDIT_INTERVAL);
        let mut uses = interval_at(Instant::now() + USES_INTERVAL, USES_INTERVAL);
        let mut purge = interval_at(Instant::now() + PURGE_INTERVAL, PURGE_INTERVAL);
        let mut backups = interval(BACKUP_INTERVAL);
        let mut indexing = interval(INDEXING_INTERVAL);
        let mut wal = interval(WAL_INTERVAL);
        let mut unindexed = 0;
        for timer in
            [&mut compaction, &mut audit, &mut uses, &mut purge, &mut indexing, &mut wal, &mut backups]
        {
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            tokio::select! {
                _ = compaction.tick() => {
                    if let Err(error) = count::compact(&self.database).await {
                        tracing::warn!(%error, "failed to compact component count deltas");
                    }
                }
                _ = audit.tick() => self.audit().await,
                _ = uses.tick() => self.write_uses().await,
                _ = purge.tick() => self.purge().await,
                _ = backups.tick() => self.look_up_backup().await,
                _ = wal.tick() => {
                    if let Err(error) = self.database.truncate_wal().await {
                        tracing::warn!(%error, "failed to truncate the write-ahead log");
                    }
                }
                _ = indexing.tick() => {
                    match search_index::index_some(&self.database, unindexed, &self.stop).await {
                        Ok(waiting) => unindexed = waiting,
                        Err(error) => {
                            tracing::warn!(%error, "failed to update the search index");
                        }
                    }
                }
            }
        }
    }

    async fn write_uses(&self) {
        if let Err(error) = self.tokens.write_uses(&self.database).await {
            tracing::warn!(%error, "failed to record token last-used times");
        }
    }

    async fn purge(&self) {
        let now = self.clock.now();
        if let Err(error) = write::purge_idempotency_keys(&self.database, now).await {
            tracing::warn!(%error, "failed to delete expired idempotency keys");
        }
        if let Err(error) = identity::purge_sessions(&self.database, now).await {
            tracing::warn!(%error, "failed to delete expired sessions");
        }
        if let Err(error) = import_job::purge(&self.database, now).await {
            tracing::warn!(%error, "failed to delete expired uploads");
        }
    }

    async fn look_up_backup(&self) {
        match service_record::find(&self.database.reader, &self.database, LAST_BACKUP_AT).await {
            Ok(at) => {
                let seconds = at.unwrap_or_default() / 1_000_000;
                self.last_backup.store(u64::try_from(seconds).unwrap_or_default(), Ordering::Relaxed);
            }
            Err(error) => tracing::warn!(%error, "failed to read the time of the last backup"),
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
                        "stored component count is wrong: run `inventory check --repair-count` to repair it"
                    );
                }
            }
            Err(error) => tracing::warn!(%error, "failed to audit the component count"),
        }
    }
}
