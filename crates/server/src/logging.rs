//! What is logged: to stderr, for people where that is a terminal, as JSON otherwise.
//!
//! A thread does the writing. Code that logs hands over a line and goes on, so a stderr that is full, slow or closed
//! can neither block nor fail anything. Lines that could not be written are counted, and the count is logged when
//! stderr works again.

use std::{
    env, fmt,
    fs::File,
    io::{self, IsTerminal as _, Write, stderr},
    os::fd::AsFd as _,
    panic,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, SyncSender, TryRecvError},
    },
    thread,
    time::Duration,
};

use anyhow::Context as _;
use inventory_http::RequestContext;
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

/// How many lines wait for stderr. Further ones are dropped.
const QUEUE_LINES: usize = 4096;
/// How long the end of a server waits for the lines that are still in the queue.
pub(crate) const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The log of the process.
pub(crate) struct Log(Arc<Queue>);

/// The lines on their way to stderr.
struct Queue {
    entries: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
}

enum Entry {
    Line(Vec<u8>),
    /// Dropped when every entry before it is written or lost.
    Flush(SyncSender<()>),
}

impl Log {
    /// Starts logging, panics included.
    pub(crate) fn start(filter: &str) -> anyhow::Result<Self> {
        let filter = EnvFilter::builder().parse(filter).context("the log filter cannot be read")?;
        // Not through `std::io::Stderr`: a write that blocks would hold its lock.
        let sink = File::from(stderr().as_fd().try_clone_to_owned().context("stderr cannot be used")?);
        let queue = Arc::new(Queue::start(sink)?);
        let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Arc::clone(&queue));
        if stderr().is_terminal() {
            let colours = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            subscriber.map_event_format(|format| WithRequest(format.with_ansi(colours))).init();
        } else {
            subscriber.json().flatten_event(true).map_event_format(WithRequest).init();
        }
        // The hook of the standard library writes to stderr, and waits for it.
        panic::set_hook(Box::new(|panic| {
            let location = panic.location().map(ToString::to_string);
            let thread = thread::current();
            tracing::error!(
                reason = panic.payload_as_str().unwrap_or("no message"),
                location,
                thread = thread.name(),
                "panicked"
            );
        }));
        Ok(Self(queue))
    }

    /// Puts a sentence on stderr behind what was logged so far.
    pub(crate) fn say(&self, sentence: &str) {
        self.0.push(format!("{sentence}\n").into_bytes());
    }

    /// Waits until everything logged so far is written; for at most so long, if a time is given.
    pub(crate) fn flush(&self, limit: Option<Duration>) {
        let (written, flushed) = mpsc::sync_channel(0);
        let entries = self.0.entries.clone();
        // The queue may be full.
        thread::spawn(move || drop(entries.send(Entry::Flush(written))));
        match limit {
            Some(limit) => drop(flushed.recv_timeout(limit)),
            None => drop(flushed.recv()),
        }
    }
}

impl Queue {
    /// Starts the thread that writes to this sink.
    fn start(sink: impl Write + Send + 'static) -> io::Result<Self> {
        let (entries, receiver) = mpsc::sync_channel(QUEUE_LINES);
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_entries(&receiver, sink, &counter))?;
        Ok(Self { entries, lost })
    }

    fn push(&self, line: Vec<u8>) {
        if self.entries.try_send(Entry::Line(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A format that adds the request that a line is about. A span around each request would cost its time for every request
/// that logs nothing.
struct WithRequest<F>(F);

impl<S, N, F> FormatEvent<S, N> for WithRequest<F>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(request) = RequestContext::current() else {
            return self.0.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        write_with_request(&mut writer, line.trim_end(), request.request_id(), request.trace_id())
    }
}

/// Writes a line, which is a JSON object or text, with the ids of a request at its end.
fn write_with_request(
    writer: &mut impl fmt::Write,
    line: &str,
    id: impl fmt::Display,
    trace: Option<&str>,
) -> fmt::Result {
    if let Some(object) = line.strip_prefix('{').and_then(|line| line.strip_suffix('}')) {
        write!(writer, "{{{object},\"request_id\":\"{id}\"")?;
        if let Some(trace) = trace {
            write!(writer, ",\"trace_id\":\"{trace}\"")?;
        }
        return writeln!(writer, "}}");
    }
    write!(writer, "{line} request_id={id}")?;
    if let Some(trace) = trace {
        write!(writer, " trace_id={trace}")?;
    }
    writeln!(writer)
}

/// Each write is one line, and always succeeds.
impl Write for &Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what is in the queue until nobody can add to it.
fn write_entries(entries: &Receiver<Entry>, mut sink: impl Write, lost: &AtomicU64) {
    let mut works = true;
    let mut flush = None;
    loop {
        let next = match entries.try_recv() {
            Ok(entry) => Ok(entry),
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {
                if works && lost.load(Ordering::Relaxed) > 0 {
                    let lost_lines = lost.swap(0, Ordering::Relaxed);
                    tracing::warn!(lost_lines, "log lines lost: stderr was full, too slow or closed");
                    continue;
                }
                drop(flush.take());
                entries.recv()
            }
        };
        match next {
            Ok(Entry::Line(line)) => {
                works = sink.write_all(&line).is_ok();
                lost.fetch_add(u64::from(!works), Ordering::Relaxed);
            }
            Ok(Entry::Flush(written)) => flush = Some(written),
            Err(_closed) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_about_a_request_ends_with_its_ids() {
        let write = |line, trace| {
            let mut written = String::new();
            write_with_request(&mut written, line, "1-2", trace).unwrap();
            written
        };
        assert_eq!(write("INFO answered", None), "INFO answered request_id=1-2\n");
        assert_eq!(write("INFO answered", Some("ab")), "INFO answered request_id=1-2 trace_id=ab\n");
        assert_eq!(write(r#"{"a":1}"#, None), "{\"a\":1,\"request_id\":\"1-2\"}\n");
        let both = "{\"a\":1,\"request_id\":\"1-2\",\"trace_id\":\"ab\"}\n";
        assert_eq!(write(r#"{"a":1}"#, Some("ab")), both);
    }
}
