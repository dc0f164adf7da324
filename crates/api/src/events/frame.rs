//! Frames of Server-Sent Events, as bytes.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use inventory_core::{CloudEvent, EventEnvelope, EventId, LogPosition};

/// Maximum bytes of frames cached for streams that have not sent them yet.
const MAX_KEPT_BYTES: usize = 4 * 1024 * 1024;

/// A frame that only shows that the stream is alive.
pub(super) const PING: Bytes = Bytes::from_static(b": ping\n\n");

/// A frame that carries a position. Without data it is not an event to the client.
pub(super) fn position(position: &LogPosition) -> Bytes {
    format!("id: {position}\n\n").into()
}

/// The same as the first frame of a stream, with the time after which a client reconnects.
pub(super) fn first(position: &LogPosition, retry: Duration) -> Bytes {
    format!("retry: {}\nid: {position}\n\n", retry.as_millis()).into()
}

/// An event with its data, which is on one line.
pub(super) fn event(name: &str, position: &LogPosition, data: &str) -> Bytes {
    format!("event: {name}\nid: {position}\ndata: {data}\n\n").into()
}

/// The frames of the events of a log. The newest ones made are kept, so that each event is serialised once for all
/// streams that send it at about the same time.
#[derive(Debug)]
pub(super) struct EventFrames {
    epoch: Arc<str>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    frames: HashMap<EventId, Bytes>,
    /// The oldest first.
    order: VecDeque<EventId>,
    bytes: usize,
}

impl EventFrames {
    /// Of the log of an epoch.
    pub(super) fn new(epoch: Arc<str>) -> Self {
        Self { epoch, kept: Mutex::default() }
    }

    /// The frame of an event.
    pub(super) fn frame(&self, recorded: &EventEnvelope) -> Result<Bytes, serde_json::Error> {
        // Held while the event is serialised: a stream that needs the same event waits for it instead of doing it, too.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(frame) = kept.frames.get(&recorded.id) {
            return Ok(frame.clone());
        }
        let data = serde_json::to_string(&CloudEvent::new(recorded, &self.epoch)?)?;
        let frame = event(recorded.data.type_name(), &self.position(recorded), &data);
        kept.insert(recorded.id, frame.clone());
        Ok(frame)
    }

    /// The position after an event.
    pub(super) fn position(&self, event: &EventEnvelope) -> LogPosition {
        LogPosition::after(Arc::clone(&self.epoch), event.seq, event.id)
    }
}

impl Kept {
    fn insert(&mut self, id: EventId, frame: Bytes) {
        self.bytes += frame.len();
        self.frames.insert(id, frame);
        self.order.push_back(id);
        while self.bytes > MAX_KEPT_BYTES
            && let Some(oldest) = self.order.pop_front()
        {
            self.bytes -= self.frames.remove(&oldest).map_or(0, |frame| frame.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use inventory_core::{Actor, ComponentCreated, ComponentId, MemoryLog, NewComponent};
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn no_more_frames_are_kept_than_the_limit() {
        let (log, _bus) = MemoryLog::with_bus(1);
        let json = serde_json::json!({"name": "a", "notes": "n".repeat(9_000)});
        let new = NewComponent::from_json(json).unwrap();
        let component = new.create(ComponentId::generate(), OffsetDateTime::UNIX_EPOCH, Actor::cli());
        let component = Arc::new(component.unwrap());
        let frames = EventFrames::new("e1".into());
        for _ in 0..1000 {
            let recorded = log.record(ComponentCreated { component: Arc::clone(&component) });
            let frame = frames.frame(&recorded).unwrap();
            assert_eq!(frames.frame(&recorded).unwrap().as_ptr(), frame.as_ptr());
        }
        let kept = frames.kept.into_inner().unwrap();
        let bytes: usize = kept.frames.values().map(Bytes::len).sum();
        assert!(bytes == kept.bytes && bytes <= MAX_KEPT_BYTES && bytes > MAX_KEPT_BYTES / 2, "{bytes}");
        assert_eq!(kept.frames.len(), kept.order.len());
    }
}
