//! `/livez` and `/readyz`: whether the process lives, and whether it can serve.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::extract::State;
use inventory_store::Store;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::App, kind::Kind, openapi::problems, problem::Problem};

/// How long the database may take to answer, for the service to be ready.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(1);

/// Whether the service is on its way down. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stopping(Arc<AtomicBool>);

impl Stopping {
    /// The service is on its way down from now on.
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The routes of the health checks.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(livez)).routes(routes!(readyz))
}

problems!(LiveProblems: Internal, NotAlive, Timeout);

/// Is the process alive?
///
/// Answers as long as the process can answer at all and all of its core tasks run. Where it does not, restart it.
#[utoipa::path(
    get, path = "/livez", operation_id = "livez", tag = "health", security(()),
    responses(
        (status = 200, description = "It is", body = String, content_type = "text/plain", example = "alive\n"),
        LiveProblems,
    ),
)]
async fn livez(State(store): State<Store>) -> Result<&'static str, Problem> {
    match store.core_tasks().ended() {
        None => Ok("alive\n"),
        Some(task) => {
            Err(Problem::new(Kind::NotAlive, format!("the {task} task has ended; restart the process")))
        }
    }
}

problems!(ReadyProblems: Internal, NotReady);

/// Can the service serve?
///
/// Where it cannot, send requests elsewhere; it may be able to later.
#[utoipa::path(
    get, path = "/readyz", operation_id = "readyz", tag = "health", security(()),
    responses(
        (status = 200, description = "It can", body = String, content_type = "text/plain", example = "ready\n"),
        ReadyProblems,
    ),
)]
async fn readyz(
    State(store): State<Store>,
    State(stopping): State<Stopping>,
) -> Result<&'static str, Problem> {
    let not_ready = |detail: String| Problem::new(Kind::NotReady, detail);
    if stopping.has_begun() {
        return Err(not_ready("the service is stopping".to_owned()));
    }
    if store.stats().tailer_halted {
        return Err(not_ready("the event log is broken; `inventory check` tells where".to_owned()));
    }
    match tokio::time::timeout(DATABASE_TIMEOUT, store.ping()).await {
        Ok(Ok(())) => Ok("ready\n"),
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready");
            Err(not_ready("the database does not answer".to_owned()))
        }
        Err(_elapsed) => Err(not_ready(format!("the database did not answer within {DATABASE_TIMEOUT:?}"))),
    }
}
