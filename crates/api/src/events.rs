//! `GET /api/v1/events`: what happens, as Server-Sent Events.
//!
//! A stream is a place in the log that moves forward: it begins where the client left off and goes over from
//! the log to the bus without a seam. A client that reads slowly is waited for; it holds up nobody else, and
//! what it has not read yet is in the log, not in memory.

mod position;
mod schema;

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{HeaderName, HeaderValue},
    response::{IntoResponse, Response, Sse, sse::Event as Frame},
};
use futures::{Stream, StreamExt, stream};
use inventory_core::{
    Clock, CloudEvent, EVENT_TYPES, Event, LogPosition, Recorded, Scope, Seq, Subscription, Token,
};
use inventory_store::{ReadError, Store};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::position::LastEventId;
use crate::{
    app::App,
    auth::{Caller, Read},
    kind::Kind,
    openapi::problems,
    parameters::Parameters,
    problem::Problem,
};

/// Tells nginx to pass an event stream on as it comes, instead of collecting it in a buffer.
pub const NO_PROXY_BUFFERING: [(HeaderName, HeaderValue); 1] =
    [(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"))];

/// How long a client waits until it connects again.
const RETRY: Duration = Duration::from_secs(2);
/// After how long a silent stream says that it still lives.
const PING_PERIOD: Duration = Duration::from_secs(15);
/// The name of the event that says that the position is not one of this log.
const RESET: &str = "reset";
/// What it says.
const RESET_REASON: &str = "the position is not one of this log";
/// The name that the bus knows all streams by.
const SUBSCRIBER: &str = "sse";

/// The streams of this process: how many there may be, and when they end. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    most: usize,
    free: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Streams {
    /// Room for so many.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, free: Arc::new(Semaphore::new(most)), stop: CancellationToken::new() }
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.most.saturating_sub(self.free.available_permits())
    }

    /// Ends all of them, and each that is yet to begin.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }
}

/// The route of the stream.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(events))
}

problems!(EventProblems: InvalidParameter, InvalidHeader, Unauthorized, InsufficientScope, Internal,
    Unavailable, TooManyStreams, Timeout);

/// Follow the events
///
/// Server-Sent Events. Each is named after its type (`component.created`, …), its `data` is a CloudEvent 1.0
/// in JSON on one line, and its `id` is the position to go on after: a client that sends it back in
/// `Last-Event-ID` misses nothing and sees nothing twice. The first frame carries the position alone. Where
/// a position is not one of this log (the database is another one, or was restored from a backup that is older than
/// the position), an event named `reset` says so, and the stream goes on from the newest event: read everything
/// again.
///
/// Events of users and tokens are told to tokens with the scope `admin` only. The stream ends when the token
/// does, and when the user is changed whose token it is.
#[utoipa::path(
    get, path = "/api/v1/events", operation_id = "followEvents", tag = "events",
    params(position::EventParameters),
    responses(
        (status = 200, description = "The stream", body = schema::Frame, content_type = "text/event-stream"),
        EventProblems,
    ),
)]
async fn events(
    caller: Caller<Read>,
    mut parameters: Parameters,
    LastEventId(last): LastEventId,
    State(store): State<Store>,
    State(streams): State<Streams>,
) -> Result<Response, Problem> {
    let after = parameters.take(position::AFTER).map(|text| position::parameter(&text)).transpose()?;
    let types = Types::read(parameters.take(position::TYPES).as_deref(), caller.may(Scope::Admin))?;
    let follow = position::follow(parameters.take(position::FOLLOW).as_deref())?;
    parameters.finish(&position::PARAMETERS)?;
    let permit = Arc::clone(&streams.free).try_acquire_owned().map_err(|_full| {
        Problem::new(Kind::TooManyStreams, "as many event streams are open as the service allows")
    })?;
    // A browser that connects again repeats the query and adds the header, so the header is the newer.
    let Start { position, reset } = Start::find(&store, last.or(after)).await?;
    // What was committed and has yet to reach the bus here belongs to a stream that ends at the newest event.
    let end = if follow { None } else { Some(store.snapshot().await?.head.max(store.bus().head())) };
    let first = first_frames(&position, reset);
    let feed = Feed {
        subscription: store.bus().subscribe_after(SUBSCRIBER, position.seq()),
        epoch: Arc::clone(store.epoch()),
        types,
        sent: position.seq(),
        position,
        end,
        caller: Arc::clone(caller.token()),
        clock: store.clock().clone(),
        _permit: permit,
    };
    let frames = stream::iter(first).chain(feed.frames()).take_until(streams.stop.cancelled_owned());
    Ok((NO_PROXY_BUFFERING, Sse::new(frames.map(Ok::<_, Infallible>))).into_response())
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

fn first_frames(position: &LogPosition, reset: bool) -> Vec<Frame> {
    let id = position.to_string();
    // Without data a frame is not an event to the client, but its id and its retry time count.
    let mut frames = vec![Frame::default().retry(RETRY).id(&id)];
    if reset {
        let data = format!("{{\"reason\":\"{RESET_REASON}\"}}");
        frames.push(Frame::default().event(RESET).id(&id).data(data));
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
        let open: Vec<_> = EVENT_TYPES.iter().copied().filter(|name| admin || is_open(name)).collect();
        if let Some(closed) = text.split(',').find(|name| EVENT_TYPES.contains(name) && !open.contains(name))
        {
            let detail =
                format!("events of the type {closed} are told to tokens with the scope \"admin\" only");
            return Err(Problem::new(Kind::InsufficientScope, detail));
        }
        let known = |name: &str| open.iter().copied().find(|known| *known == name);
        let names = text.split(',').map(|name| {
            known(name).ok_or_else(|| {
                let detail = format!("names {name:?}, which is not a type; there are {}", open.join(", "));
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
            None => self.admin || is_open(name),
        }
    }
}

/// Whether events of this type are for everyone who may read: those of components.
fn is_open(name: &str) -> bool {
    name.starts_with("component.")
}

/// One client's place in the log.
struct Feed {
    subscription: Subscription,
    epoch: Arc<str>,
    types: Types,
    /// The position after the last event that was looked at.
    position: LogPosition,
    /// The event of the last position that was sent.
    sent: Seq,
    /// The last event to send: where the client does not wait for new ones, or its token was revoked.
    end: Option<Seq>,
    caller: Arc<Token>,
    clock: Clock,
    /// Makes room for another stream when this one ends.
    _permit: OwnedSemaphorePermit,
}

impl Feed {
    fn frames(self) -> impl Stream<Item = Frame> {
        stream::unfold(self, |mut feed| async move {
            let frame = feed.next().await?;
            Some((frame, feed))
        })
    }

    /// The next frame; `None` at the end.
    async fn next(&mut self) -> Option<Frame> {
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
                    self.position = LogPosition::after(Arc::clone(&self.epoch), event.seq, event.id);
                    if self.types.admit(&event.data) {
                        return self.frame(&event);
                    }
                }
                Ok(Ok(None)) => return None,
                // The client connects again; by then the log may answer.
                Ok(Err(error)) => {
                    tracing::error!(%error, "an event stream ended");
                    return None;
                }
                Err(_elapsed) => return Some(self.ping()),
            }
        }
    }

    fn frame(&mut self, event: &Recorded) -> Option<Frame> {
        let data = CloudEvent::new(event, &self.epoch).and_then(|event| serde_json::to_string(&event));
        match data {
            Ok(data) => {
                self.sent = event.seq;
                Some(Frame::default().event(event.data.type_name()).id(self.position.to_string()).data(data))
            }
            Err(error) => {
                tracing::error!(seq = %event.seq, %error, "an event stream ended");
                None
            }
        }
    }

    /// A sign of life, with the position where it moved past events that were not asked for: a client that
    /// connects again need not pass them once more.
    fn ping(&mut self) -> Frame {
        if self.position.seq() == self.sent {
            return Frame::default().comment("ping");
        }
        self.sent = self.position.seq();
        Frame::default().id(self.position.to_string())
    }

    /// Whether the caller may no longer see what this stream tells, or has to be looked at anew: then the client
    /// connects again.
    fn is_ended_by(&self, event: &Recorded) -> bool {
        match &event.data {
            Event::TokenRevoked(revoked) => revoked.token.id == self.caller.id,
            Event::UserUpdated(updated) => self.caller.owner == Some(updated.after.id),
            Event::UserDeleted(deleted) => self.caller.owner == Some(deleted.user.id),
            _ => false,
        }
    }
}
