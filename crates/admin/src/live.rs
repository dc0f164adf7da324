//! `/admin/live`: what others change while a page is open, as Server-Sent Events.
//!
//! A page says which event it has seen last, and hears of everything after it that someone else did to a component.
//! It is told who and which, not what: the page is asked for anew by whoever wants to see it. A page that has missed
//! too much, or whose position is not of this log, is told to be loaded again by an event named `reset`.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{IntoResponse, Response, Sse, sse::Event as Frame, sse::KeepAlive},
    routing::get,
};
use futures::{Stream, StreamExt, stream};
use inventory_api::{NO_PROXY_BUFFERING, OpenStream, StreamLimiter};
use inventory_core::{Actor, Component, Event, LogPosition, Recorded, Subscription, UserId};
use inventory_store::Store;
use serde::Serialize;

use crate::{Admin, failure::Failure, fields::Parameters, routes::Router, session::SignedIn, who::who};

/// How many pages a process keeps up to date at once.
const MAX_STREAMS: usize = 256;
/// How many of them one user has. Only the page that is looked at listens, so this is as many windows.
const MAX_STREAMS_PER_USER: usize = 32;
/// How many events a page may have missed and still be told of them.
const MAX_MISSED: u64 = 1000;
/// How long one stream lasts. The browser then asks again, and is let in if the session still is.
const LIFETIME: Duration = Duration::from_mins(5);
/// How long a browser waits until it asks again.
const RETRY: Duration = Duration::from_secs(3);
/// After how long a silent stream says that it still lives.
const PING_PERIOD: Duration = Duration::from_secs(15);
/// The name of the event that tells a page to be loaded again.
const RESET: &str = "reset";
/// The name that the bus knows these streams by.
const SUBSCRIBER: &str = "admin";

/// The streams of this process, by user. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Live(StreamLimiter<UserId>);

impl Default for Live {
    fn default() -> Self {
        Self(StreamLimiter::new(MAX_STREAMS, MAX_STREAMS_PER_USER))
    }
}

impl Live {
    /// Ends all streams, and each that is yet to begin.
    pub(crate) fn stop(&self) {
        self.0.stop();
    }

    /// Waits until the service stops.
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.stopped()
    }
}

/// The route of the stream.
pub(crate) fn router() -> Router<Admin> {
    Router::new().route("/admin/live", get(live))
}

/// What a page is told of a change.
#[derive(Serialize)]
struct News<'a> {
    id: String,
    what: &'static str,
    name: &'a str,
    version: u64,
    who: String,
}

async fn live(
    signed_in: SignedIn,
    State(store): State<Store>,
    State(live): State<Live>,
    Parameters(fields): Parameters,
) -> Result<Response, Failure> {
    let open = live.0.open(signed_in.user.id);
    let open =
        open.map_err(|_full| Failure::BadRequest("Too many pages are kept up to date already.".to_owned()))?;
    let head = store.bus().head();
    let kept = match fields.text("since").parse() {
        Ok(kept) => store.known_position(&kept).await?,
        Err(_malformed) => None,
    };
    let kept = kept.filter(|kept| head.0.saturating_sub(kept.seq().0) <= MAX_MISSED);
    let mut begin = vec![Frame::default().retry(RETRY).comment("on")];
    let since = if let Some(kept) = kept {
        kept.seq()
    } else {
        let newest = store.position(head).await?;
        begin.push(Frame::default().event(RESET).id(newest.to_string()).data(RESET));
        head
    };
    let feed = Feed {
        subscription: store.stream_bus().subscribe_after(SUBSCRIBER, since),
        epoch: Arc::clone(store.epoch()),
        own: signed_in.actor(),
        signed_in,
        _open: open,
    };
    let frames = stream::iter(begin)
        .chain(feed.frames())
        .take_until(live.0.stopped())
        .take_until(Box::pin(tokio::time::sleep(LIFETIME)));
    let alive = KeepAlive::new().interval(PING_PERIOD);
    let stream = Sse::new(frames.map(Ok::<_, Infallible>)).keep_alive(alive);
    Ok((NO_PROXY_BUFFERING, stream).into_response())
}

/// One page's place in the log.
struct Feed {
    subscription: Subscription,
    epoch: Arc<str>,
    /// Whose changes are not news.
    own: Actor,
    signed_in: SignedIn,
    _open: OpenStream<UserId>,
}

impl Feed {
    fn frames(self) -> impl Stream<Item = Frame> {
        stream::unfold(self, |mut feed| async move {
            let frame = feed.next().await?;
            Some((frame, feed))
        })
    }

    /// The next change that someone else made; `None` at the end.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            let event = match self.subscription.next().await {
                Ok(event) => event?,
                // The browser asks again; by then the log may answer.
                Err(error) => {
                    tracing::error!(%error, "a page can no longer be kept up to date");
                    return None;
                }
            };
            if self.signed_in.may_end_with(&event.data) {
                return None;
            }
            if event.actor != self.own
                && let Some(frame) = frame(&event, &self.epoch)
            {
                return Some(frame);
            }
        }
    }
}

fn frame(event: &Recorded, epoch: &Arc<str>) -> Option<Frame> {
    let (what, component): (_, &Component) = match &event.data {
        Event::ComponentCreated(created) => ("created", &created.component),
        Event::ComponentUpdated(updated) => ("changed", &updated.after),
        Event::ComponentDeleted(deleted) => ("deleted", &deleted.component),
        _ => return None,
    };
    let news = News {
        id: component.id.to_string(),
        what,
        name: component.name.as_str(),
        version: component.version,
        who: who(&event.actor),
    };
    // Cannot fail: texts and a number.
    let position = LogPosition::after(Arc::clone(epoch), event.seq, event.id);
    Frame::default().id(position.to_string()).json_data(news).ok()
}
