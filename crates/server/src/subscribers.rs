//! Every subscriber of the service: those of the product, and those that a program around this library adds.
//!
//! Two parts of the product follow the log by a `Subscription` instead, because they decide when to read the next
//! event: the metrics task, which stops at the event of a scrape, and the event streams, which wait for their clients.

use std::error::Error;

use clap::{ArgMatches, Args, Command};
use inventory_admin::Admin;
use inventory_core::{Bus, Subscriber};
use inventory_store::Store;

use crate::outcome::Misconfigured;

/// Starts the subscribers of the product. `cargo xtask new-subscriber` adds a line here.
pub(crate) fn start(store: &Store, admin: &Admin) {
    let bus = store.bus();
    bus.register(admin.live_pages());
}

/// The subscribers that `inventory serve` runs beside those of the product: see [`main`](crate::main()).
///
/// Each starts before the service takes its first connection, and is given every event from then on.
#[derive(Default)]
pub struct Subscribers(Vec<Registration>);

struct Registration {
    /// Adds its options to a command.
    augment: fn(Command) -> Command,
    configure: Configure,
}

/// Makes a subscriber from the options that were given.
type Configure = Box<dyn FnOnce(&ArgMatches) -> Result<Start, Misconfigured>>;
type Start = Box<dyn FnOnce(&Bus) + Send>;

/// The subscribers after their options were read.
#[derive(Default)]
pub(crate) struct ConfiguredSubscribers(Vec<Start>);

/// Without a group, whose name would be taken when a second subscriber has no options.
#[derive(Args)]
#[group(skip)]
struct NoOptions {}

impl Subscribers {
    /// Adds a subscriber.
    pub fn add<S: Subscriber>(&mut self, subscriber: S) -> &mut Self {
        self.add_with_options(|NoOptions {}| Ok(Some(subscriber)))
    }

    /// Adds a subscriber that is made from options of `inventory serve`. `O` declares them; like all options they should
    /// be flags and variables that begin with `INVENTORY_`. No two subscribers can declare the same type or flag.
    ///
    /// `make` returns `None` if the options say that the subscriber does not run. If it returns an error, the service
    /// does not start.
    pub fn add_with_options<O: Args, S: Subscriber>(
        &mut self,
        make: impl FnOnce(O) -> Result<Option<S>, Box<dyn Error + Send + Sync>> + 'static,
    ) -> &mut Self {
        let configure = |matches: &ArgMatches| -> Result<Start, Misconfigured> {
            let misconfigured = |error: &dyn Error| Misconfigured(format!("subscriber {}: {error}", S::NAME));
            let options = O::from_arg_matches(matches).map_err(|error| misconfigured(&error))?;
            let subscriber = make(options).map_err(|error| misconfigured(&*error))?;
            Ok(Box::new(move |bus| {
                if let Some(subscriber) = subscriber {
                    bus.register(subscriber);
                }
            }))
        };
        self.0.push(Registration { augment: O::augment_args, configure: Box::new(configure) });
        self
    }

    /// Adds the options of all of them to a command.
    pub(crate) fn augment(&self, command: Command) -> Command {
        self.0.iter().fold(command, |command, registration| (registration.augment)(command))
    }

    /// Makes all of them from the options that were given.
    pub(crate) fn configure(self, matches: &ArgMatches) -> Result<ConfiguredSubscribers, Misconfigured> {
        let started = self.0.into_iter().map(|registration| (registration.configure)(matches));
        started.collect::<Result<_, _>>().map(ConfiguredSubscribers)
    }
}

impl ConfiguredSubscribers {
    /// Starts all of them.
    pub(crate) fn start(self, bus: &Bus) {
        for start in self.0 {
            start(bus);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use clap::CommandFactory as _;
    use inventory_core::{
        Actor, Clock, ComponentCreated, ComponentId, EventEnvelope, HandlerResult, MemoryLog, NewComponent,
    };

    use super::*;
    use crate::config::Cli;

    type Seen = Arc<Mutex<Vec<String>>>;

    struct Plain(Seen);
    struct Configurable(Seen, String);

    impl Subscriber for Plain {
        type Event = ComponentCreated;
        const NAME: &'static str = "plain";
        async fn handle(&self, _event: EventEnvelope<ComponentCreated>) -> HandlerResult {
            self.0.lock().unwrap().push("plain".to_owned());
            Ok(())
        }
    }

    impl Subscriber for Configurable {
        type Event = ComponentCreated;
        const NAME: &'static str = "configurable";
        async fn handle(&self, _event: EventEnvelope<ComponentCreated>) -> HandlerResult {
            self.0.lock().unwrap().push(self.1.clone());
            Ok(())
        }
    }

    #[derive(Args)]
    struct Options {
        #[arg(long)]
        word: Option<String>,
    }

    /// What the subscribers saw of one event, started with these arguments.
    async fn seen(arguments: &[&str]) -> Result<Vec<String>, Misconfigured> {
        let seen = Seen::default();
        let mut subscribers = Subscribers::default();
        let configurable = Arc::clone(&seen);
        subscribers.add(Plain(Arc::clone(&seen))).add(Plain(Arc::clone(&seen))).add_with_options(
            |Options { word }| match word {
                Some(word) if word.is_empty() => Err("--word is empty".into()),
                word => Ok(word.map(|word| Configurable(configurable, word))),
            },
        );
        let command = subscribers.augment(Cli::command());
        command.clone().debug_assert();
        let matches = command.get_matches_from([&["inventory"], arguments].concat());
        let configured = subscribers.configure(&matches)?;
        let (recorder, bus) = MemoryLog::with_bus(4);
        configured.start(&bus);
        let component = NewComponent::named("74HC00".parse().unwrap());
        let component = component.create(ComponentId::generate(), Clock::system().now(), Actor::cli());
        recorder.record(ComponentCreated { component: Arc::new(component.unwrap()) });
        recorder.close();
        bus.join().await;
        let mut seen = seen.lock().unwrap().clone();
        seen.sort();
        Ok(seen)
    }

    #[tokio::test]
    async fn each_subscriber_that_is_added_runs_as_its_options_say() {
        assert_eq!(seen(&[]).await.unwrap(), ["plain", "plain"]);
        assert_eq!(seen(&["--word", "hello"]).await.unwrap(), ["hello", "plain", "plain"]);
        let error = seen(&["--word", ""]).await.unwrap_err().to_string();
        assert_eq!(error, "subscriber configurable: --word is empty");
    }
}
