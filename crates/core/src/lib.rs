//! What a component is, what can happen to it, the bus that says so, and the contract of a subscriber.
//!
//! Do something whenever a component is created:
//!
//! ```
//! # use std::sync::Arc;
//! # use inventory_core::{Actor, Bus, Clock, ComponentCreated, ComponentId, MemoryLog, NewComponent};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (recorder, bus) = MemoryLog::with_bus(16);
//! # let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
//! use inventory_core::{Outcome, Recorded, Subscriber};
//!
//! struct Greeter { greetings: tokio::sync::mpsc::UnboundedSender<String> }
//!
//! impl Subscriber for Greeter {
//!     type Event = ComponentCreated; // or `Event` for all of them
//!     const NAME: &'static str = "greeter";
//!     async fn handle(&self, event: Recorded<ComponentCreated>) -> Outcome {
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
//! A closure does for the short ones: `bus.on("greeter", |event: Recorded<ComponentCreated>| async move { … })`.
//!
//! What belongs here: the model, the events, the bus. What does not: any database, any HTTP, any metric.

mod actor;
mod bus;
mod clock;
mod cloud_event;
mod component;
mod core_task;
mod event;
mod log;
mod memory_log;
#[cfg(feature = "openapi")]
mod openapi;
mod patch;
mod position;
mod subscriber;
mod subscription;
mod token;
mod user;
mod value;

pub use actor::Actor;
pub use bus::{Bus, BusStats, DEFAULT_CAPACITY, Publisher, bus};
pub use clock::{Clock, from_micros, micros, rfc3339};
pub use cloud_event::CloudEvent;
pub use component::{Component, ComponentId, Field};
pub use core_task::{CoreTask, CoreTasks};
pub use event::{
    ComponentCreated, ComponentDeleted, ComponentUpdated, DecodeError, EVENT_TYPES, Event, EventId,
    EventKind, Origin, Recorded, Seq, SignInRefused, TokenCreated, TokenRevoked, UnknownEvent, UserCreated,
    UserDeleted, UserSignedIn, UserSignedOut, UserUpdated,
};
pub use log::{EventLog, LogError};
pub use memory_log::{MemoryLog, Recorder};
pub use patch::{ComponentPatch, FieldError, Invalid, NewComponent};
pub use position::{LogPosition, ParsePositionError};
pub use subscriber::{Outcome, Policy, Subscriber, SubscriberStats};
pub use subscription::Subscription;
pub use token::{Scope, Scopes, Token, TokenId};
pub use user::{
    ClientAddress, Preferences, Role, SessionId, SignInRefusal, Theme, User, UserChange, UserField, UserId,
};
pub use value::{
    Amount, Barcode, Currency, CustomFieldName, CustomFieldText, CustomFieldValue, CustomFields,
    CustomFieldsPatch, DatasheetUrl, Description, FromJson, Manufacturer, Mpn, Name, Notes, Sku, Status, Tag,
    Tags, Unit, UserName, ValueError,
};
