//! `GET /api/v1/events`: what happens, as Server-Sent Events.
//!
//! A stream is a place in the log that moves forward: it begins where the client left off and goes over from
//! the log to the bus without a seam. A client that reads slowly is waited for; it holds up nobody else, and
//! what it has not read yet is in the log, not in memory.

mod frame;
mod position;
mod schema;

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{FromRef, State},
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use inventory_core::{
    Clock, EVENT_TYPES, Event, EventEnvelope, LogPosition, Scope, Seq, Subscription, Token, TokenId,
    is_catalogue_event,
};
use inventory_http::{NO_PROXY_BUFFERING, OpenStream, Problem, ProblemType, StreamLimiter, StreamsFull};
use inventory_store::{ReadError, Store};
use tokio::time::Instant;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::{
    frame::EventFrames,
    position::LastEventId,
    schema::{RESET, RESET_REASON},
};
use crate::{
    authorized::{Authorized, Read},
    openapi::problems,
    parameters::Parameters,
};

/// How many event streams a process has open at once, unless it is told otherwise.
pub const DEFAULT_MAX_EVENT_STREAMS: usize = 256;

/// How long a client waits until it connects again.
const RETRY: Duration = Duration::from_secs(2);
/// After how long a silent stream says that it still lives.
const PING_PERIOD: Duration = Duration::from_secs(15);
/// How many tokens it takes to use up all streams: one may have this part of them.
const TOKENS_TO_FILL: usize = 4;
/// The name that the bus knows all streams by.
const SUBSCRIBER: &str = "sse";

/// The streams of this process.
#[derive(Debug)]
pub struct Streams {
    limiter: StreamLimiter<TokenId>,
    frames: Arc<EventFrames>,
}

impl Streams {
    /// Allows at most `max` open streams. `epoch` identifies the log.
    pub fn new(max: usize, epoch: &Arc<str>) -> Self {
        let share = (max / TOKENS_TO_FILL).max(1);
        Self {
            limiter: StreamLimiter::new(max, share),
            frames: Arc::new(EventFrames::new(Arc::clone(epoch))),
        }
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.limiter.count()
    }

    /// Ends all streams, and refuses new ones.
    pub fn stop(&self) {
        self.limiter.stop();
    }

    fn open(&self, token: TokenId) -> Result<OpenStream<TokenId>, Problem> {
        self.limiter.open(token).map_err(|full| {
            let detail = match full {
                StreamsFull::Share(share) => {
                    format!("{share} event streams are open with this token, which is the limit of one token")
                }
                StreamsFull::Total(total) => {
                    format!("{total} event streams are open, which is the limit of the service")
                }
            };
            Problem::new(ProblemType::TooManyStreams, detail)
        })
    }
}

/// The route of the stream.
pub(crate) fn router<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Store: FromRef<S>,
    Arc<Streams>: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(events))
}

problems!(EventProblems: InvalidParameter, InvalidHeader, Unauthorized, InsufficientScope, Internal,
    Unavailable, TooManyStreams, Timeout);

/// Follow the event stream
///
/// Server-Sent Events. Each event is named after its type (`component.created`, …). Its `data` is a
/// CloudEvent 1.0 in JSON on one line, and its `id` is the position to continue after: a client that sends it
/// back in `Last-Event-ID` misses no event and gets none twice. The first frame has only the position. If a
/// position does not belong to this log (the database is another one, or was restored from a backup that is
/// older than the position), an event named `reset` reports this, and the stream continues from the newest
/// event: read everything again.
///
/// Events of users and tokens are sent only to tokens with the scope `admin`. The stream ends when the token
/// is revoked or expires, when the token's owner is changed, and when the client reads nothing for 60
/// seconds. One token may have a quarter of the streams that the service allows.
#[utoipa::path(
    get, path = "/api/v1/events", operation_id = "followEvents", tag = "events",
    params(position::EventParameters),
    responses(
        (status = 200, description = "The stream", body = schema::Frame, content_type = "text/event-stream"),
        EventProblems,
    ),
)]
async fn events(
    caller: Authorized<Read>,
    mut parameters: Parameters,
    LastEventId(last): LastEventId,
    State(store): State<Store>,
    State(streams): State<Arc<Streams>>,
) -> Result<Response, Problem> {
    let after = parameters.take(position::AFTER).map(|text| position::parameter(&text)).transpose()?;
    let types = Types::read(parameters.take(position::TYPES).as_deref(), caller.may(Scope::Admin))?;
    let follow = position::follow(parameters.take(position::FOLLOW).as_deref())?;
    parameters.finish(&position::PARAMETERS)?;
    let open = streams.open(caller.token().id)?;
    // A browser that connects again repeats the query and adds the header, so the header is the newer.
    let Start { position, reset } = Start::find(&store, last.or(after)).await?;
    // A stream that ends at the newest event includes events that are committed but not yet on this process's
    // bus.
    let end = if follow { None } else { Some(store.snapshot().await?.head.max(store.bus().head())) };
    let first = first_frames(&position, reset);
    let feed = Feed {
        subscription: store.stream_bus().subscribe_after(SUBSCRIBER, position.seq()),
        frames: Arc::clone(&streams.frames),
        types,
        sent: position.seq(),
        position,
        end,
        caller: Arc::clone(caller.token()),
        clock: store.clock().clone(),
        _open: open,
    };
    let frames = stream::iter(first).chain(feed.frames()).take_until(streams.limiter.stopped());
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")];
    let body = Body::from_stream(frames.map(Ok::<_, Infallible>));
    Ok((NO_PROXY_BUFFERING, headers, body).into_response())
}

/// Where a stream begins.
struct Start {
    position: LogPosition,
    /// Whether the client asked for a position that is not in this log.
    reset: bool,
}

impl Start {
    async fn find(store: &Store, asked: Option<LogPosition>) -> Result<Self, ReadError> {
        let reset = asked.is_some();
        if let Some(asked) = asked
            && let Some(position) = store.known_position(&asked).await?
        {
            return Ok(Self { position, reset: false });
        }
        Ok(Self { position: store.position(store.bus().head()).await?, reset })
    }
}

fn first_frames(position: &LogPosition, reset: bool) -> Vec<Bytes> {
    let mut frames = vec![frame::first(position, RETRY)];
    if reset {
        let data = format!("{{\"reason\":\"{RESET_REASON}\"}}");
        frames.push(frame::event(RESET, position, &data));
    }
    frames
}

/// The events that a client asked for and may see.
struct Types {
    /// Those that it names; all that it may see where it names none.
    named: Option<Vec<&'static str>>,
    admin: bool,
}

impl Types {
    fn read(text: Option<&str>, admin: bool) -> Result<Self, Problem> {
        let Some(text) = text else { return Ok(Self { named: None, admin }) };
        let open: Vec<_> =
            EVENT_TYPES.iter().copied().filter(|name| admin || is_catalogue_event(name)).collect();
        if let Some(closed) = text.split(',').find(|name| EVENT_TYPES.contains(name) && !open.contains(name))
        {
            let detail =
                format!("events of the type {closed} are sent only to tokens with the scope \"admin\"");
            return Err(Problem::new(ProblemType::InsufficientScope, detail));
        }
        let known = |name: &str| open.iter().copied().find(|known| *known == name);
        let names = text.split(',').map(|name| {
            known(name).ok_or_else(|| {
                let detail = format!("names {name:?}, which is no type; the types are {}", open.join(", "));
                Problem::parameter(position::TYPES, detail)
            })
        });
        Ok(Self { named: Some(names.collect::<Result<_, _>>()?), admin })
    }

    fn admit(&self, event: &Event) -> bool {
        let name = event.type_name();
        match &self.named {
            Some(named) => named.contains(&name),
            // Of a type that this binary does not know, too.
            None => self.admin || is_catalogue_event(name),
        }
    }
}

/// One client's place in the log.
struct Feed {
    subscription: Subscription,
    frames: Arc<EventFrames>,
    types: Types,
    /// The position after the last event that was looked at.
    position: LogPosition,
    /// The event of the last position that was sent.
    sent: Seq,
    /// The last event to send: where the client does not wait for new ones, or its token was revoked.
    end: Option<Seq>,
    caller: Arc<Token>,
    clock: Clock,
    _open: OpenStream<TokenId>,
}

impl Feed {
    fn frames(self) -> impl Stream<Item = Bytes> {
        stream::unfold(self, |mut feed| async move {
            let frame = feed.next().await?;
            Some((frame, feed))
        })
    }

    /// The next frame; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        let ping_at = Instant::now() + PING_PERIOD;
        loop {
            let ended = self.end.is_some_and(|end| self.subscription.position() > end);
            let expired = self.caller.expires_at.is_some_and(|at| at <= self.clock.now());
            if ended || expired {
                return None;
            }
            match tokio::time::timeout_at(ping_at, self.subscription.next()).await {
                Ok(Ok(Some(event))) => {
                    if self.is_ended_by(&event) {
                        self.end = Some(event.seq);
                    }
                    self.position = self.frames.position(&event);
                    if self.types.admit(&event.data) {
                        return self.frame(&event);
                    }
                }
                Ok(Ok(None)) => return None,
                // The client connects again; by then the log may answer.
                Ok(Err(error)) => {
                    tracing::error!(%error, "event stream failed");
                    return None;
                }
                Err(_elapsed) => return Some(self.ping()),
            }
        }
    }

    fn frame(&mut self, event: &EventEnvelope) -> Option<Bytes> {
        self.sent = event.seq;
        let frame = self.frames.frame(event);
        frame.inspect_err(|error| tracing::error!(seq = %event.seq, %error, "event stream failed")).ok()
    }

    /// A sign of life, with the position where it moved past events that were not asked for: a client that
    /// connects again need not pass them once more.
    fn ping(&mut self) -> Bytes {
        if self.position.seq() == self.sent {
            return frame::PING;
        }
        self.sent = self.position.seq();
        frame::position(&self.position)
    }

    /// Whether this event ends the caller's access or requires a new authorization check. The stream then
    /// ends, and the client reconnects.
    fn is_ended_by(&self, event: &EventEnvelope) -> bool {
        match &event.data {
            Event::TokenRevoked(revoked) => revoked.token.id == self.caller.id,
            Event::UserUpdated(updated) => self.caller.owner == Some(updated.after.id),
            Event::UserDeleted(deleted) => self.caller.owner == Some(deleted.user.id),
            _ => false,
        }
    }
}
