//! `/admin/live`: what others change while a page is open, as Server-Sent Events.
//!
//! A page says which event it has seen last, and is told of every later change of a component by someone else.
//! [`LivePages`] keeps the newest events in memory for that. The page is told who changed which component, and offers a
//! link that loads it again. A message named `reset` says that the page has missed too much, or that its position is not
//! of this log. The stream ends when the session does.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    extract::State,
    response::{IntoResponse, Response, Sse, sse::Event as Frame, sse::KeepAlive},
    routing::get,
};
use futures::{Stream, StreamExt, stream};
use inventory_core::{
    Actor, Component, ComponentId, Event, EventEnvelope, EventId, HandlerResult, LogPosition, Name, Seq,
    Subscriber, UserId,
};
use inventory_http::{NO_PROXY_BUFFERING, OpenStream, StreamLimiter};
use inventory_store::Store;
use serde::Serialize;
use tokio::sync::broadcast;

use crate::{
    Admin, actor_label::who, auth::SignedIn, failure::Failure, form_data::Parameters, routes::Router,
};

/// How many pages a process keeps up to date at once.
const MAX_STREAMS: usize = 256;
/// How many of them one user has. Only the page that is looked at listens, so this is as many windows.
const MAX_STREAMS_PER_USER: usize = 32;
/// How many events a page may have missed and still be told of them.
const MAX_MISSED: usize = 1000;
/// How long one stream lasts. The browser then asks again, and is let in if the session still is.
const LIFETIME: Duration = Duration::from_mins(5);
/// How long a browser waits until it asks again.
const RETRY: Duration = Duration::from_secs(3);
/// After how long a silent stream says that it still lives.
const PING_PERIOD: Duration = Duration::from_secs(15);
/// The name of the event that tells a page to be loaded again.
const RESET: &str = "reset";

/// The open pages of this process. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    streams: StreamLimiter<UserId>,
    changes: Arc<Changes>,
}

/// Tells the open pages of this process about changes: the subscriber of the web admin.
#[derive(Debug)]
pub struct LivePages {
    changes: Arc<Changes>,
}

/// A page's way to what it missed and to what comes.
type Followed = (Vec<Arc<Change>>, broadcast::Receiver<Arc<Change>>);

/// The newest events, for pages that are open and for those that missed some.
#[derive(Debug)]
struct Changes {
    recent: Mutex<VecDeque<Arc<Change>>>,
    newest: broadcast::Sender<Arc<Change>>,
}

/// One event, as far as pages need to know it. The whole event may be large.
#[derive(Debug)]
struct Change {
    seq: Seq,
    id: EventId,
    actor: Actor,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Component {
        what: &'static str,
        id: ComponentId,
        name: Name,
        version: u64,
    },
    /// Another event, which may end a session.
    Other(Event),
}

impl Default for Live {
    fn default() -> Self {
        let (newest, _) = broadcast::channel(MAX_MISSED);
        let changes = Arc::new(Changes { recent: Mutex::default(), newest });
        Self { streams: StreamLimiter::new(MAX_STREAMS, MAX_STREAMS_PER_USER), changes }
    }
}

impl Live {
    /// What tells these pages about the changes of a log. It must be registered with the bus of that log.
    pub(crate) fn pages(&self) -> LivePages {
        LivePages { changes: Arc::clone(&self.changes) }
    }

    /// Ends all streams, and each that begins from now on.
    pub(crate) fn stop(&self) {
        self.streams.stop();
    }

    /// Waits until the service stops.
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        self.streams.stopped()
    }
}

impl Subscriber for LivePages {
    type Event = Event;

    const NAME: &'static str = "admin";

    async fn handle(&self, event: EventEnvelope) -> HandlerResult {
        let change = Arc::new(Change::new(event));
        let mut recent = self.changes.recent();
        if recent.len() == MAX_MISSED {
            recent.pop_front();
        }
        recent.push_back(Arc::clone(&change));
        // Fails if no page is open.
        let _unheard = self.changes.newest.send(change);
        Ok(())
    }
}

impl Changes {
    /// The changes after an event: those that are over, and those to come. `None` if not all of them are kept. `head` is
    /// the last event on the bus.
    fn follow(&self, since: Seq, head: Seq) -> Option<Followed> {
        let recent = self.recent();
        let covered = since >= head || recent.front().is_some_and(|oldest| oldest.seq <= since.next());
        let missed = || recent.iter().filter(|change| change.seq > since).cloned().collect();
        covered.then(|| (missed(), self.newest.subscribe()))
    }

    fn recent(&self) -> MutexGuard<'_, VecDeque<Arc<Change>>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Change {
    fn new(event: EventEnvelope) -> Self {
        let component = |what, component: &Component| {
            let Component { id, name, version, .. } = component;
            Content::Component { what, id: *id, name: name.clone(), version: *version }
        };
        let content = match event.data {
            Event::ComponentCreated(created) => component("created", &created.component),
            Event::ComponentUpdated(updated) => component("changed", &updated.after),
            Event::ComponentDeleted(deleted) => component("deleted", &deleted.component),
            other => Content::Other(other),
        };
        Self { seq: event.seq, id: event.id, actor: event.actor, content }
    }

    /// What a page is told of a component.
    fn frame(&self, epoch: &Arc<str>) -> Option<Frame> {
        let Content::Component { what, id, name, version } = &self.content else { return None };
        let news =
            News { id: id.to_string(), what, name: name.as_str(), version: *version, who: who(&self.actor) };
        let position = LogPosition::after(Arc::clone(epoch), self.seq, self.id);
        // Cannot fail: texts and a number.
        Frame::default().id(position.to_string()).json_data(news).ok()
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
    let open = live.streams.open(signed_in.user.id);
    let open =
        open.map_err(|_full| Failure::BadRequest("Too many pages are open. Close some of them.".to_owned()))?;
    let head = store.bus().head();
    let kept = match fields.text("since").parse() {
        Ok(kept) => store.known_position(&kept).await?,
        Err(_malformed) => None,
    };
    let mut begin = vec![Frame::default().retry(RETRY).comment("on")];
    let kept = kept.and_then(|kept| Some((kept.seq(), live.changes.follow(kept.seq(), head)?)));
    let (since, (missed, newest)) = if let Some(followed) = kept {
        followed
    } else {
        begin.push(Frame::default().event(RESET).id(store.position(head).await?.to_string()).data(RESET));
        (head, (Vec::new(), live.changes.newest.subscribe()))
    };
    let feed = Feed {
        missed: missed.into(),
        newest,
        last: since,
        epoch: Arc::clone(store.epoch()),
        own: signed_in.actor(),
        signed_in,
        _open: open,
    };
    let frames = stream::iter(begin)
        .chain(feed.frames())
        .take_until(live.stopped())
        .take_until(Box::pin(tokio::time::sleep(LIFETIME)));
    let alive = KeepAlive::new().interval(PING_PERIOD);
    let stream = Sse::new(frames.map(Ok::<_, Infallible>)).keep_alive(alive);
    Ok((NO_PROXY_BUFFERING, stream).into_response())
}

/// What one page is told.
struct Feed {
    missed: VecDeque<Arc<Change>>,
    newest: broadcast::Receiver<Arc<Change>>,
    /// The last event that the page knows.
    last: Seq,
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
            let change = match self.missed.pop_front() {
                Some(change) => change,
                // Fails if the page is too slow. The browser asks again, and is told what it missed.
                None => self.newest.recv().await.ok()?,
            };
            if change.seq <= self.last {
                continue;
            }
            self.last = change.seq;
            if let Content::Other(event) = &change.content
                && self.signed_in.may_end_with(event)
            {
                return None;
            }
            if change.actor != self.own
                && let Some(frame) = change.frame(&self.epoch)
            {
                return Some(frame);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use inventory_core::{ComponentCreated, MemoryLog, NewComponent, Recorder};
    use time::OffsetDateTime;

    use super::*;

    fn create(recorder: &Recorder) -> Seq {
        let component = NewComponent::named("a".parse().unwrap());
        let component =
            component.create(ComponentId::generate(), OffsetDateTime::UNIX_EPOCH, Actor::cli()).unwrap();
        recorder.record(ComponentCreated { component: Arc::new(component) }).seq
    }

    #[tokio::test]
    async fn a_page_is_told_all_that_it_missed_or_that_not_all_is_kept() {
        let (recorder, bus) = MemoryLog::with_bus(16);
        let live = Live::default();
        bus.register(live.pages());
        let mut newest = live.changes.newest.subscribe();
        let events = MAX_MISSED as u64 + 10;
        for _ in 0..events {
            let seq = create(&recorder);
            assert_eq!(newest.recv().await.unwrap().seq, seq);
        }
        let head = bus.head();
        let missed = |since| {
            let (missed, _) = live.changes.follow(Seq(since), head)?;
            Some(missed.iter().map(|change| change.seq.0).collect::<Vec<_>>())
        };
        assert_eq!(missed(9), None);
        assert_eq!(missed(10), Some((11..=events).collect()));
        assert_eq!(missed(events - 2), Some(vec![events - 1, events]));
        assert_eq!(missed(events), Some(vec![]));
    }
}
