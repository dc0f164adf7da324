//! Supervision of the tasks without which the service does not do what it promises.

use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;
use tokio::sync::watch;

/// How many panics of a task within [`RESTART_WINDOW`] are answered with a restart.
const MAX_RESTARTS: usize = 5;
/// See [`MAX_RESTARTS`].
const RESTART_WINDOW: Duration = Duration::from_mins(1);

/// A task that can go on after a panic: [`CoreTask::run`] called again works with the state as the panic left it.
pub trait CoreTask: Send + 'static {
    /// The name in the log.
    const NAME: &'static str;

    /// Runs until the task is told to stop.
    fn run(&mut self) -> impl Future<Output = ()> + Send;
}

/// The core tasks of a process. Each is expected to run until the process stops. Clones are the same.
#[derive(Debug, Clone)]
pub struct CoreTasks {
    state: Arc<watch::Sender<State>>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    stopping: bool,
    /// The first task that ended without being told to.
    ended: Option<&'static str>,
}

impl Default for CoreTasks {
    fn default() -> Self {
        Self { state: Arc::new(watch::Sender::new(State::default())) }
    }
}

impl CoreTasks {
    /// Starts a task, and starts it again after a panic, up to five times a minute.
    pub fn spawn_restarting<T: CoreTask>(&self, mut task: T) {
        self.spawn(T::NAME, async move {
            let mut panics = VecDeque::new();
            while AssertUnwindSafe(task.run()).catch_unwind().await.is_err() {
                let now = Instant::now();
                panics.push_back(now);
                while panics.front().is_some_and(|panic| now.duration_since(*panic) > RESTART_WINDOW) {
                    panics.pop_front();
                }
                if panics.len() > MAX_RESTARTS {
                    tracing::error!(task = T::NAME, panics = panics.len(), "core task keeps panicking");
                    return;
                }
                tracing::error!(task = T::NAME, "core task panicked, restarting");
            }
        });
    }

    /// Starts a task that cannot go on after a panic.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.state.send_modify(|state| state.running += 1);
        let tasks = self.clone();
        tokio::spawn(async move {
            let panicked = AssertUnwindSafe(task).catch_unwind().await.is_err();
            tasks.state.send_modify(|state| {
                state.running -= 1;
                if !state.stopping || panicked {
                    tracing::error!(task = name, panicked, "core task ended");
                    state.ended.get_or_insert(name);
                }
            });
        });
    }

    /// From now on a task may end.
    pub fn expect_end(&self) {
        self.state.send_modify(|state| state.stopping = true);
    }

    /// The task that ended although it should run, if there is one.
    pub fn ended(&self) -> Option<&'static str> {
        self.state.borrow().ended
    }

    /// Waits for a task to end although it should run, and returns its name.
    pub async fn wait_for_unexpected_end(&self) -> &'static str {
        let mut state = self.state.subscribe();
        // Fails only without a sender, which this holds.
        let ended = state.wait_for(|state| state.ended.is_some()).await;
        ended.ok().and_then(|state| state.ended).unwrap_or_default()
    }

    /// Waits until every task has ended.
    pub async fn join(&self) {
        let mut state = self.state.subscribe();
        let _closed = state.wait_for(|state| state.running == 0).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    /// Panics at each of these numbers, and ends when there are no more.
    struct Fragile(mpsc::UnboundedReceiver<u32>, mpsc::UnboundedSender<u32>);

    impl CoreTask for Fragile {
        const NAME: &'static str = "fragile";

        async fn run(&mut self) {
            while let Some(number) = self.0.recv().await {
                assert!(number != 13, "an unlucky number");
                self.1.send(number).unwrap();
            }
        }
    }

    fn start() -> (CoreTasks, mpsc::UnboundedSender<u32>, mpsc::UnboundedReceiver<u32>) {
        let (tasks, (send, numbers), (handled, receive)) =
            (CoreTasks::default(), mpsc::unbounded_channel(), mpsc::unbounded_channel());
        tasks.spawn_restarting(Fragile(numbers, handled));
        (tasks, send, receive)
    }

    #[tokio::test]
    async fn a_task_that_panics_goes_on() {
        let (tasks, send, mut handled) = start();
        for number in [1, 13, 2, 13, 3] {
            send.send(number).unwrap();
        }
        for number in 1..=3 {
            assert_eq!(handled.recv().await, Some(number));
        }
        assert_eq!(tasks.ended(), None);
        tasks.expect_end();
        drop(send);
        tasks.join().await;
        assert_eq!(tasks.ended(), None);
    }

    #[tokio::test]
    async fn a_task_that_panics_again_and_again_is_given_up_and_named() {
        let (tasks, send, _handled) = start();
        for _ in 0..=MAX_RESTARTS {
            send.send(13).unwrap();
        }
        assert_eq!(tasks.wait_for_unexpected_end().await, "fragile");
        tasks.join().await;
    }

    #[tokio::test]
    async fn a_task_that_ends_before_it_should_is_named() {
        let (tasks, send, _handled) = start();
        drop(send);
        assert_eq!(tasks.wait_for_unexpected_end().await, "fragile");
        assert_eq!(tasks.ended(), Some("fragile"));
    }
}
