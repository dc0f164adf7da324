//! The component model, the events, the event bus, and the subscriber trait. A subscriber that handles every
//! created component:
//!
//! ```
//! # use std::sync::Arc;
//! # use inventory_core::{Actor, Bus, Clock, ComponentCreated, ComponentId, MemoryLog, NewComponent};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (recorder, bus) = MemoryLog::with_bus(16);
//! # let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
//! use inventory_core::{HandlerResult, EventEnvelope, Subscriber};
//!
//! struct Greeter { greetings: tokio::sync::mpsc::UnboundedSender<String> }
//!
//! impl Subscriber for Greeter {
//!     type Event = ComponentCreated; // or `Event` for all of them
//!     const NAME: &'static str = "greeter";
//!     async fn handle(&self, event: EventEnvelope<ComponentCreated>) -> HandlerResult {
//!         self.greetings.send(format!("hello, {}", event.data.component.name))?;
//!         Ok(())
//!     }
//! }
//!
//! bus.register(Greeter { greetings: tell });
//! # let component = NewComponent::named("74HC00".parse()?)
//! #     .create(ComponentId::generate(), Clock::system().now(), Actor::cli())?;
//! # recorder.record(ComponentCreated { component: Arc::new(component) });
//! # assert_eq!(told.recv().await.as_deref(), Some("hello, 74HC00"));
//! # Ok(())
//! # }
//! ```
//!
//! A closure is enough for a short subscriber: `bus.on("greeter", |event: EventEnvelope<ComponentCreated>|
//! async move { … })`.
//!
//! What belongs here: the model, the events, the bus, the supervision of core tasks, and a log in memory for tests.
//! What does not: any database, any HTTP, any metric.

mod bus;
mod core_task;
mod event;
mod model;
mod testkit;

pub use bus::{
    Bus, BusStats, DEFAULT_CAPACITY, HandlerResult, Publisher, RetryPolicy, Subscriber, SubscriberStats,
    Subscription, bus,
};
pub use core_task::{CoreTask, CoreTasks};
pub use event::{
    ComponentCreated, ComponentDeleted, ComponentUpdated, DecodeError, EVENT_TYPES, Event, EventEnvelope,
    EventId, EventKind, Origin, Seq, SignInRefused, TokenCreated, TokenRevoked, UnknownEvent, UserCreated,
    UserDeleted, UserSignedIn, UserSignedOut, UserUpdated,
    cloud_event::CloudEvent,
    is_catalogue_event,
    log::{EventLog, LogError},
    position::{LogPosition, ParsePositionError},
};
pub use model::{
    actor::Actor,
    clock::{Clock, from_micros, micros, rfc3339},
    component::{Component, ComponentId, Field},
    component_patch::{ComponentPatch, NewComponent},
    custom_fields::{CustomFieldValue, CustomFields, CustomFieldsPatch},
    field_value::{FieldKind, FieldValue, FromJson, ValueError},
    merge_patch::{FieldError, ValidationErrors},
    scope::{Scope, Scopes},
    tags::Tags,
    token::{Token, TokenId},
    user::{
        ClientAddress, Preferences, Role, SessionId, SignInRefusal, Theme, User, UserChange, UserField,
        UserId,
    },
    value::*,
};
pub use testkit::{MemoryLog, Recorder};
