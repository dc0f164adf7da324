//! `/livez` and `/readyz`: whether the process lives, and whether it can serve.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::extract::{self, FromRef};
use inventory_http::{Problem, ProblemType};
use inventory_store::Store;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::openapi::problems;

/// How long the database may take to answer, for the service to be ready.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether the service can take requests. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<State>);

#[derive(Debug, Default)]
struct State {
    stopping: AtomicBool,
    /// Since when a probe has found it not ready, for the log.
    not_ready_since: Mutex<Option<Instant>>,
}

/// Why the service is not ready.
struct Obstacle {
    /// What the client is told.
    detail: String,
    /// What the log says.
    reason: String,
}

impl Readiness {
    /// The service is on its way down from now on.
    pub fn stop(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Relaxed)
    }

    /// Logs where the service was ready at the last probe and is not, or the other way round.
    fn log_change(&self, obstacle: Option<&Obstacle>) {
        let mut since = self.0.not_ready_since.lock().unwrap_or_else(PoisonError::into_inner);
        match (obstacle, *since) {
            (Some(Obstacle { reason, detail: _ }), None) => {
                tracing::warn!(reason, "not ready");
                *since = Some(Instant::now());
            }
            (None, Some(began)) => {
                let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                tracing::info!(duration_ms, "ready again");
                *since = None;
            }
            _ => {}
        }
    }
}

/// The routes of the health checks.
pub(crate) fn router<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Store: FromRef<S>,
    Readiness: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(livez)).routes(routes!(readyz))
}

problems!(LiveProblems: Internal, NotAlive, Timeout);

/// Check whether the process is alive
///
/// Succeeds while the process can respond and all of its core tasks run. If it fails, restart the process.
#[utoipa::path(
    get, path = "/livez", operation_id = "livez", tag = "health", security(()),
    responses(
        (status = 200, description = "The process is alive", body = String, content_type = "text/plain",
            example = "alive\n"),
        LiveProblems,
    ),
)]
async fn livez(extract::State(store): extract::State<Store>) -> Result<&'static str, Problem> {
    match store.core_tasks().ended() {
        None => Ok("alive\n"),
        Some(task) => Err(Problem::new(
            ProblemType::NotAlive,
            format!("the {task} task has ended; restart the process"),
        )),
    }
}

problems!(ReadyProblems: Internal, NotReady);

/// Check whether the service is ready
///
/// If it fails, send requests elsewhere; the service may become ready later.
#[utoipa::path(
    get, path = "/readyz", operation_id = "readyz", tag = "health", security(()),
    responses(
        (status = 200, description = "The service is ready", body = String, content_type = "text/plain",
            example = "ready\n"),
        ReadyProblems,
    ),
)]
async fn readyz(
    extract::State(store): extract::State<Store>,
    extract::State(readiness): extract::State<Readiness>,
) -> Result<&'static str, Problem> {
    if readiness.is_stopping() {
        return Err(Problem::new(ProblemType::NotReady, "the service is stopping"));
    }
    let obstacle = find_obstacle(&store).await;
    readiness.log_change(obstacle.as_ref());
    match obstacle {
        None => Ok("ready\n"),
        Some(Obstacle { detail, reason: _ }) => Err(Problem::new(ProblemType::NotReady, detail)),
    }
}

async fn find_obstacle(store: &Store) -> Option<Obstacle> {
    if store.stats().tailer_halted {
        let detail = "the event log is broken; run `inventory check` to find out where";
        return Some(Obstacle { detail: detail.to_owned(), reason: "the event log is broken".to_owned() });
    }
    match tokio::time::timeout(DATABASE_TIMEOUT, store.ping()).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            Some(Obstacle { detail: "the database does not answer".to_owned(), reason: error.to_string() })
        }
        Err(_elapsed) => {
            let detail = format!("the database did not answer within {DATABASE_TIMEOUT:?}");
            Some(Obstacle { reason: detail.clone(), detail })
        }
    }
}
