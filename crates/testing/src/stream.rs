//! A client of the event stream that reads on after every failure, as a mirror of the catalogue does.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::Client;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::Frames;

/// The pause before a stream that broke is asked for again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(20);

/// Reads the event stream from the start of the log until it is stopped.
#[derive(Debug)]
pub struct StreamReader {
    received: Arc<Mutex<Vec<(u64, String)>>>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl StreamReader {
    /// Begins to read. `base` is where the service serves; it is read again before each connection, so it may change.
    pub fn start(client: Client, base: Arc<Mutex<String>>, token: &str) -> Self {
        let received = Arc::<Mutex<Vec<(u64, String)>>>::default();
        let stop = Arc::<AtomicBool>::default();
        let (events, stopped, token) = (Arc::clone(&received), Arc::clone(&stop), token.to_owned());
        let task = tokio::spawn(async move {
            let mut last = String::new();
            while !stopped.load(Ordering::Relaxed) {
                let base = base.lock().unwrap().clone();
                let mut request = client.get(format!("{base}/api/v1/events?after=0")).bearer_auth(&token);
                if !last.is_empty() {
                    request = request.header("Last-Event-ID", &last);
                }
                if let Ok(response) = request.send().await
                    && response.status().is_success()
                {
                    read(response, &events, &mut last).await;
                }
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
        });
        Self { received, stop, task }
    }

    /// The events received so far: place in the log and id.
    pub fn received(&self) -> Vec<(u64, String)> {
        self.received.lock().unwrap().clone()
    }

    /// Waits until the event at a place was received, and returns all.
    pub async fn wait_for(&self, seq: u64, patience: Duration) -> Vec<(u64, String)> {
        let waited = tokio::time::timeout(patience, async {
            while self.received.lock().unwrap().last().is_none_or(|(last, _)| *last < seq) {
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
        });
        let arrived = waited.await.is_ok();
        let received = self.received();
        assert!(arrived, "the stream ends at {:?} and not at {seq}", received.last());
        received
    }
}

impl Drop for StreamReader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.abort();
    }
}

async fn read(mut response: reqwest::Response, events: &Mutex<Vec<(u64, String)>>, last: &mut String) {
    let mut frames = Frames::default();
    while let Ok(Some(chunk)) = response.chunk().await {
        frames.push(&chunk);
        for frame in &mut frames {
            if let Some(id) = frame.id {
                *last = id;
            }
            let Some(data) = frame.data.and_then(|data| serde_json::from_str::<Value>(&data).ok()) else {
                continue;
            };
            let (Some(seq), Some(id)) = (data["sequence"].as_str(), data["id"].as_str()) else { continue };
            events.lock().unwrap().push((seq.parse().unwrap(), id.replace('-', "")));
        }
    }
}
