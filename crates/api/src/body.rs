//! The body of a request, within its limit and within what all bodies may take together.

use std::{error::Error, sync::Arc};

use axum::{
    body::{Body, BodyDataStream},
    extract::{FromRef, FromRequest, Request},
    http::{
        HeaderMap, Method,
        header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT},
    },
};
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt;
use inventory_http::{Problem, ProblemType};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tower_http::timeout::TimeoutError;

/// How long the body of a request for one component may be, in bytes.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;
/// How long the body of a batch may be, in bytes.
pub(crate) const MAX_BATCH_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of bodies for one component that the process holds at once.
const MAX_BUFFERED_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of batch bodies that the process holds at once. The budget is separate, so that batches cannot
/// starve the requests for one component.
const MAX_BUFFERED_BATCH_BYTES: usize = 40 * 1024 * 1024;
/// Bodies longer than this, in bytes, are read on a blocking thread: parsing them takes about a millisecond or more.
const MAX_INLINE_BYTES: usize = 16 * 1024;
/// How many bodies are read on blocking threads at once. Reading takes some multiple of the body's memory.
const READS_AT_ONCE: usize = 2;
/// Answers with more components than this are serialised on a blocking thread.
const MAX_INLINE_COMPONENTS: usize = 256;

/// How much of a body that is refused is read and thrown away, in bytes. A client that is still sending when the
/// connection closes may lose the answer that tells it why.
const MAX_DISCARDED_BYTES: usize = 64 * 1024 * 1024;

/// The media type of a JSON body.
pub(crate) const JSON: &str = "application/json";
/// The media type of a JSON merge patch (RFC 7396).
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";

/// The memory that the bodies of all requests may take, and the work of reading them.
#[derive(Debug)]
pub struct BodyBudget {
    single: Arc<Semaphore>,
    batch: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    overdraft: Arc<Semaphore>,
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self {
            single: Arc::new(Semaphore::new(MAX_BUFFERED_BYTES)),
            batch: Arc::new(Semaphore::new(MAX_BUFFERED_BATCH_BYTES)),
            reads: Arc::new(Semaphore::new(READS_AT_ONCE)),
            overdraft: Arc::new(Semaphore::new(1)),
        }
    }
}

/// The share of the budget that one body has taken so far, given back when this is dropped.
#[derive(Debug)]
pub(crate) struct BodyLease {
    budget: Arc<Semaphore>,
    /// The whole budget, in bytes.
    most: usize,
    taken: Option<OwnedSemaphorePermit>,
    overdraft: Arc<Semaphore>,
    overdrawn: Option<OwnedSemaphorePermit>,
}

impl BodyLease {
    /// Makes the share cover what was made of a body, where that takes more memory than the body. If the budget is used
    /// up, one body at a time may go on all the same: of several that meet, one gets through.
    pub(crate) fn cover(&mut self, bytes: usize) -> Result<(), Problem> {
        let taken = self.taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let Some(more @ 1..) = bytes.min(self.most).checked_sub(taken) else { return Ok(()) };
        if self.overdrawn.is_some() {
            return Ok(());
        }
        self.grow(more).or_else(|busy| match Arc::clone(&self.overdraft).try_acquire_owned() {
            Ok(permit) => {
                self.overdrawn = Some(permit);
                Ok(())
            }
            Err(_) => Err(busy),
        })
    }

    /// Takes as many bytes more, unless they are not there.
    fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        match Arc::clone(&self.budget).try_acquire_many_owned(permits) {
            Ok(more) => {
                match &mut self.taken {
                    Some(taken) => taken.merge(more),
                    None => self.taken = Some(more),
                }
                Ok(())
            }
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => Err(Problem::new(
                ProblemType::Busy,
                "other requests use all the memory for request bodies; nothing was changed",
            )),
        }
    }
}

/// A JSON body of at most `LIMIT` bytes.
pub(crate) struct JsonBody<const LIMIT: usize> {
    bytes: Bytes,
    lease: BodyLease,
    reads: Arc<Semaphore>,
}

impl<const LIMIT: usize> JsonBody<LIMIT> {
    /// What a function makes of the body. A long body is read on a blocking thread. The lease belongs to what was
    /// read: it is kept until that is no longer needed.
    pub(crate) async fn read<T: Send + 'static>(
        self,
        read: impl FnOnce(&[u8], &mut BodyLease) -> Result<T, Problem> + Send + 'static,
    ) -> Result<(T, BodyLease), Problem> {
        let Self { bytes, mut lease, reads } = self;
        if bytes.len() <= MAX_INLINE_BYTES {
            return Ok((read(&bytes, &mut lease)?, lease));
        }
        let failed = |error: &dyn std::fmt::Display| {
            Problem::unexpected(ProblemType::Internal, "the body could not be read", error)
        };
        let permit = reads.acquire_owned().await.map_err(|closed| failed(&closed))?;
        let work = move || {
            let _permit = permit;
            // The lease comes along: a client that hangs up does not give back memory that is still in use.
            read(&bytes, &mut lease).map(|read| (read, lease))
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| failed(&error))?
    }
}

impl<S: Sync, const LIMIT: usize> FromRequest<S> for JsonBody<LIMIT>
where
    Arc<BodyBudget>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        media_type(request.method(), request.headers())?;
        let bodies = Arc::<BodyBudget>::from_ref(state);
        let (budget, most) = if LIMIT > MAX_BYTES {
            (&bodies.batch, MAX_BUFFERED_BATCH_BYTES)
        } else {
            (&bodies.single, MAX_BUFFERED_BYTES)
        };
        let (budget, overdraft) = (Arc::clone(budget), Arc::clone(&bodies.overdraft));
        let mut lease = BodyLease { budget, most, taken: None, overdraft, overdrawn: None };
        let bytes = buffer(request, LIMIT, &mut lease).await?;
        Ok(Self { bytes, lease, reads: Arc::clone(&bodies.reads) })
    }
}

/// Refuses a body that does not say that it is JSON.
fn media_type(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let taken: &[&str] = if method == Method::PATCH { &[MERGE_PATCH, JSON] } else { &[JSON] };
    let stated = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = stated.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    // JSON is UTF-8 (RFC 8259 §8.1); a client that says otherwise would be misread.
    let mut parameters = parts.filter_map(|parameter| parameter.split_once('='));
    let utf8 = parameters.all(|(name, value)| {
        !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    if utf8 && taken.iter().any(|taken| essence.eq_ignore_ascii_case(taken)) {
        return Ok(());
    }
    let stated = if stated.is_empty() { "missing".to_owned() } else { format!("{stated:?}") };
    Err(Problem::new(
        ProblemType::UnsupportedMediaType,
        format!("the Content-Type is {stated}, but must be {} in UTF-8", taken.join(" or ")),
    ))
}

async fn buffer(request: Request, limit: usize, lease: &mut BodyLease) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    let stated: Option<usize> =
        parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let mut chunks = body.into_data_stream();
    if stated.is_some_and(|length| length > limit) {
        // A client that waits for `100 Continue` has not begun to send.
        if !parts.headers.contains_key(EXPECT) {
            discard(chunks, 0).await;
        }
        return Err(too_large(limit));
    }
    // Most bodies come in one piece, which is then not copied.
    let Some(first) = chunks.try_next().await.map_err(unreadable)? else { return Ok(Bytes::new()) };
    let mut read = first.len();
    if stated == Some(read) {
        lease.grow(read)?;
        return Ok(first);
    }
    let mut whole = BytesMut::new();
    let mut next = Some(first);
    let mut refused = None;
    while let Some(chunk) = next.take() {
        let missing = (whole.len() + chunk.len()).saturating_sub(whole.capacity());
        if missing > 0 {
            // What was only stated is not taken on trust. Of what follows a first MiB the whole rest is, so that of
            // many long bodies at once those that are let in are read to their end.
            let rest = match stated {
                Some(stated) if read > MAX_BYTES => stated.saturating_sub(whole.capacity()),
                _ => whole.capacity(),
            };
            let more = rest.max(missing);
            refused = lease.grow(more).err();
            if refused.is_some() {
                break;
            }
            whole.reserve(whole.capacity() - whole.len() + more);
        }
        whole.extend_from_slice(&chunk);
        if whole.len() > limit {
            break;
        }
        next = chunks.try_next().await.map_err(unreadable)?;
        read += next.as_ref().map_or(0, Bytes::len);
    }
    if refused.is_none() && whole.len() <= limit {
        return Ok(whole.freeze());
    }
    drop(whole);
    lease.taken = None;
    discard(chunks, read).await;
    Err(refused.unwrap_or_else(|| too_large(limit)))
}

/// Why a body did not come to its end.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` passes it by value")]
fn unreadable(error: axum::Error) -> Problem {
    let mut causes = std::iter::successors(Some(&error as &(dyn Error + 'static)), |error| (*error).source());
    if causes.any(<dyn Error>::is::<TimeoutError>) {
        return Problem::new(ProblemType::SlowBody, "the body was not complete in time");
    }
    Problem::new(ProblemType::MalformedBody, format!("the body ended early: {error}"))
}

/// Reads the rest of a body away, so that its sender comes to read the answer.
async fn discard(mut chunks: BodyDataStream, mut read: usize) {
    while let Ok(Some(chunk)) = chunks.try_next().await {
        read += chunk.len();
        if read > MAX_DISCARDED_BYTES {
            return;
        }
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(
        ProblemType::TooLarge,
        format!("the body is longer than {limit} bytes, which is the limit of this path"),
    )
}

/// Room for most components, in bytes, so that a body does not grow step by step from nothing.
const COMPONENT_BYTES: usize = 1024;

/// The body of a response that holds the given number of components, serialised once. The values that are
/// sent here have only string keys and only numbers that JSON can express, so serialisation cannot fail.
pub(crate) fn of(value: &impl serde::Serialize, components: usize) -> Result<Body, Problem> {
    let mut body = Vec::with_capacity(components * COMPONENT_BYTES);
    serde_json::to_writer(&mut body, value).map(|()| Body::from(body)).map_err(|error| {
        Problem::unexpected(ProblemType::Internal, "the response could not be serialised", &error)
    })
}

/// The same for as many components as a client chose: many are serialised on a blocking thread.
pub(crate) async fn of_many(
    value: impl serde::Serialize + Send + 'static,
    components: usize,
) -> Result<Body, Problem> {
    if components <= MAX_INLINE_COMPONENTS {
        return of(&value, components);
    }
    tokio::task::spawn_blocking(move || of(&value, components)).await.map_err(|error| {
        Problem::unexpected(ProblemType::Internal, "the response could not be serialised", &error)
    })?
}
