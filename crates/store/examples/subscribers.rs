//! How long writes take, without subscribers and beside the worst: one that sleeps a second an event, one that
//! panics on every third and one that never returns. `cargo xtask bench` runs it and compares.
//!
//! Prints one line of JSON. The slow one is let go once the load is over, and it fails unless the slow and the
//! panicking one then end exact and in order.

use std::{
    env,
    error::Error,
    fs,
    io::Write as _,
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use inventory_core::{Actor, Event, EventEnvelope, HandlerResult, NewComponent, RetryPolicy, Subscriber};
use inventory_store::{ComponentOperation, Config, Store, WriteContext};
use serde_json::json;
use tokio::{sync::watch, task::JoinSet, time};

/// How many callers write at once, each waiting for its answer.
const CALLERS: usize = 64;
/// How long they write before anything is measured.
const WARM_UP: Duration = Duration::from_secs(1);
/// What the slow one takes over an event.
const SLOW: Duration = Duration::from_secs(1);
/// How long the bad ones may take to catch up once the load is over.
const PATIENCE: Duration = Duration::from_mins(5);

type Failure = Box<dyn Error + Send + Sync>;

/// Where a subscriber that must see every event once, in order, has come to.
struct Course(watch::Sender<u64>);

impl Course {
    fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    fn took(&self, event: &EventEnvelope) -> HandlerResult {
        let before = self.0.send_replace(event.seq.0);
        if event.seq.0 == before + 1 {
            return Ok(());
        }
        // It is left where no number follows, so that the end is never reached.
        self.0.send_replace(u64::MAX - 1);
        Err(format!("{} came after {before}", event.seq).into())
    }

    async fn reach(&self, head: u64) -> Result<(), Failure> {
        let mut place = self.0.subscribe();
        let reached = *time::timeout(PATIENCE, place.wait_for(|place| *place >= head)).await??;
        if reached == head { Ok(()) } else { Err(format!("the head is {head}, it is at {reached}").into()) }
    }
}

struct Slow {
    course: Arc<Course>,
    let_go: watch::Receiver<bool>,
}

impl Subscriber for Slow {
    type Event = Event;
    const NAME: &'static str = "slow";

    async fn handle(&self, event: EventEnvelope) -> HandlerResult {
        let mut let_go = self.let_go.clone();
        // The second is over or it was let go; either ends the wait.
        let _ = time::timeout(SLOW, let_go.wait_for(|let_go| *let_go)).await;
        self.course.took(&event)
    }
}

struct Panicking {
    course: Arc<Course>,
    attempts: AtomicU64,
}

impl Subscriber for Panicking {
    type Event = Event;
    const NAME: &'static str = "panicking";

    async fn handle(&self, event: EventEnvelope) -> HandlerResult {
        assert!(!self.attempts.fetch_add(1, Ordering::Relaxed).is_multiple_of(3), "as it is meant to");
        self.course.took(&event)
    }

    fn policy(&self) -> RetryPolicy {
        RetryPolicy { initial_backoff: Duration::from_millis(1), ..RetryPolicy::default() }
    }
}

struct Hanging;

impl Subscriber for Hanging {
    type Event = Event;
    const NAME: &'static str = "hanging";

    async fn handle(&self, _event: EventEnvelope) -> HandlerResult {
        std::future::pending().await
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [url, kind, seconds] = &*arguments else {
        return Err("usage: subscribers URL none|bad SECONDS".into());
    };
    let bad = match kind.as_str() {
        "none" => false,
        "bad" => true,
        _ => return Err(format!("{kind} is neither none nor bad").into()),
    };
    let seconds = Duration::from_secs(seconds.parse()?);
    // Thousands of panics are meant here, and none of them is news.
    panic::set_hook(Box::new(|_| {}));

    let store = Store::open(Config::new(url)).await?;
    let (slow, panicking) = (Arc::new(Course::new()), Arc::new(Course::new()));
    let (let_go, released) = watch::channel(false);
    if bad {
        store.bus().register(Slow { course: slow.clone(), let_go: released });
        store.bus().register(Panicking { course: panicking.clone(), attempts: AtomicU64::new(0) });
        store.bus().register(Hanging);
    }
    load(&store, WARM_UP).await?;
    let warm_kib = resident_kib()?;
    let mut micros = load(&store, seconds).await?;
    let loaded_kib = resident_kib()?;
    micros.sort_unstable();

    let head = store.snapshot().await?.head.0;
    let slow_behind = if bad { head - *slow.0.borrow() } else { 0 };
    let_go.send_replace(true);
    if bad {
        slow.reach(head).await.map_err(|error| format!("slow: {error}"))?;
        panicking.reach(head).await.map_err(|error| format!("panicking: {error}"))?;
    }
    let figures = json!({
        "writes": micros.len(),
        "p50_us": percentile(&micros, 50),
        "p99_us": percentile(&micros, 99),
        "warm_kib": warm_kib,
        "loaded_kib": loaded_kib,
        "caught_up_kib": resident_kib()?,
        "slow_behind": slow_behind,
    });
    writeln!(std::io::stdout(), "{figures}")?;
    // The store is not closed: that would wait for the one that never returns, which is given up only as its
    // policy says.
    Ok(())
}

/// Writes for a while. How long each write took, in µs.
async fn load(store: &Store, length: Duration) -> Result<Vec<u64>, Failure> {
    let over = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (store, over) = (store.clone(), over.clone());
        callers.spawn(async move {
            let mut micros = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let new = json!({"name": "74HC00", "description": "Quad NAND gate"});
                let new = Box::new(NewComponent::from_json(new)?);
                let start = Instant::now();
                store.write_one(ComponentOperation::Create(new), WriteContext::new(Actor::cli())).await?;
                micros.push(u64::try_from(start.elapsed().as_micros())?);
            }
            Ok::<_, Failure>(micros)
        });
    }
    time::sleep(length).await;
    over.store(true, Ordering::Relaxed);
    let mut all = Vec::new();
    while let Some(micros) = callers.join_next().await {
        all.append(&mut micros??);
    }
    Ok(all)
}

/// The given percentile.
fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied()
}

/// The memory of this process that is in RAM, in KiB.
fn resident_kib() -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
