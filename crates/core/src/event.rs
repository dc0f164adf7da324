//! What can happen, and the envelope in which it is told.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::model::actor::Actor;

pub(crate) mod cloud_event;
mod component;
pub(crate) mod log;
pub(crate) mod position;
mod token;
mod user;

pub use component::{ComponentCreated, ComponentDeleted, ComponentUpdated};
pub use token::{TokenCreated, TokenRevoked};
pub use user::{SignInRefused, UserCreated, UserDeleted, UserSignedIn, UserSignedOut, UserUpdated};

/// The place of an event in the log: 1, 2, 3, … in the order of commits, without gaps. Zero is before the
/// first event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The place before this one; before the first there is none, and it stays.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The identity of an event (UUIDv7): the same in every replay and on every transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(pub Uuid);

/// A process instance, new at each start. An event carries the one that committed it, so that each process
/// can count its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origin(pub Uuid);

impl Origin {
    /// The origin of a process that starts now.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// An event of a type or version that this binary does not know: a newer one wrote it.
#[derive(Debug, Clone)]
pub struct UnknownEvent {
    /// Its type.
    pub r#type: Arc<str>,
    /// The version of its data.
    pub version: u16,
    /// What it is about.
    pub subject: Arc<str>,
    /// Its data as stored.
    pub data: Arc<RawValue>,
}

/// Why the data of an event in the log cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the data of an event of type {type} version {version} cannot be read")]
pub struct DecodeError {
    r#type: String,
    version: u16,
    source: serde_json::Error,
}

/// A kind of event that a subscriber can ask for: one type, or [`Event`] for all of them.
pub trait EventKind: Clone + Send + Sync + 'static {
    /// The event as this kind, or `None` where it is another.
    fn downcast(event: &Event) -> Option<Self>;
}

impl EventKind for Event {
    fn downcast(event: &Event) -> Option<Self> {
        Some(event.clone())
    }
}

/// Declares every type of event once: its name, as stored and as sent. Those of the catalogue are for everyone who
/// may read components, the others for administrators.
macro_rules! events {
    (
        catalogue { $($catalogue:ident = $catalogue_type:literal,)* }
        administration { $($administration:ident = $administration_type:literal,)* }
    ) => {
        /// The types of events about the catalogue. The other types are about users and tokens.
        const CATALOGUE_EVENT_TYPES: &[&str] = &[$($catalogue_type),*];

        events! {
            $($catalogue = $catalogue_type,)*
            $($administration = $administration_type,)*
        }
    };
    ($($name:ident = $type:literal,)*) => {
        /// Everything that can happen. Clones share their data.
        #[derive(Debug, Clone)]
        #[expect(missing_docs, reason = "each is documented on the type of the same name")]
        pub enum Event {
            $($name($name),)*
            Unknown(UnknownEvent),
        }

        /// Every type of event that this binary can write.
        pub const EVENT_TYPES: &[&str] = &[$($type),*];

        impl Event {
            /// The version of the data of every type so far. A breaking change is a new type, not a new version.
            pub const VERSION: u16 = 1;

            /// The name of its type, as stored and as sent: noun and past verb.
            pub fn type_name(&self) -> &str {
                match self {
                    $(Self::$name(_) => $type,)*
                    Self::Unknown(event) => &event.r#type,
                }
            }

            /// The version of its data.
            pub fn version(&self) -> u16 {
                match self {
                    Self::Unknown(event) => event.version,
                    _ => Self::VERSION,
                }
            }

            /// What it is about, as a path: `components/{id}`, `users/{id}`, …
            pub fn subject(&self) -> String {
                match self {
                    $(Self::$name(event) => event.subject(),)*
                    Self::Unknown(event) => event.subject.to_string(),
                }
            }

            /// Its data as JSON.
            pub fn data(&self) -> Result<Box<RawValue>, serde_json::Error> {
                match self {
                    $(Self::$name(event) => serde_json::value::to_raw_value(event),)*
                    Self::Unknown(event) => Ok((*event.data).to_owned()),
                }
            }

            /// The event that was stored under this type and version. An unknown one becomes
            /// [`Event::Unknown`].
            pub fn decode(
                r#type: &str,
                version: u16,
                subject: &str,
                data: &str,
            ) -> Result<Self, DecodeError> {
                let decoded = match (r#type, version) {
                    $(($type, Self::VERSION) => serde_json::from_str(data).map(Self::$name),)*
                    _ => RawValue::from_string(data.to_owned()).map(|data| {
                        Self::Unknown(UnknownEvent {
                            r#type: r#type.into(),
                            version,
                            subject: subject.into(),
                            data: data.into(),
                        })
                    }),
                };
                decoded.map_err(|source| DecodeError { r#type: r#type.to_owned(), version, source })
            }
        }

        $(
            impl $name {
                /// The name of this type of event.
                pub const TYPE: &str = $type;
            }

            impl EventKind for $name {
                fn downcast(event: &Event) -> Option<Self> {
                    match event {
                        Event::$name(event) => Some(event.clone()),
                        _ => None,
                    }
                }
            }

            impl From<$name> for Event {
                fn from(event: $name) -> Self {
                    Self::$name(event)
                }
            }
        )*
    };
}

events! {
    catalogue {
        ComponentCreated = "component.created",
        ComponentUpdated = "component.updated",
        ComponentDeleted = "component.deleted",
    }
    administration {
        TokenCreated = "token.created",
        TokenRevoked = "token.revoked",
        UserCreated = "user.created",
        UserUpdated = "user.updated",
        UserDeleted = "user.deleted",
        UserSignedIn = "user.signed_in",
        UserSignedOut = "user.signed_out",
        SignInRefused = "sign_in.refused",
    }
}

/// Whether events of this type are about the catalogue. An unknown type counts if the part before its dot is that of
/// a known one.
pub fn is_catalogue_event(type_name: &str) -> bool {
    let asked = noun(type_name);
    CATALOGUE_EVENT_TYPES.iter().any(|known| noun(known) == asked)
}

/// What a type of event is about: its name up to the dot.
fn noun(type_name: &str) -> &str {
    type_name.split_once('.').map_or(type_name, |(noun, _)| noun)
}

/// An event as the log holds it. Clones share their data.
#[derive(Debug, Clone)]
pub struct EventEnvelope<E = Event> {
    /// Its place in the log.
    pub seq: Seq,
    /// Its identity.
    pub id: EventId,
    /// The process that committed it.
    pub origin: Origin,
    /// Who made the change.
    pub actor: Actor,
    /// The W3C `traceparent` of the request that made it.
    pub trace: Option<Arc<str>>,
    /// When it was made, to the microsecond.
    pub occurred_at: OffsetDateTime,
    /// What happened.
    pub data: E,
}

impl EventEnvelope {
    /// The same event as a certain kind, or `None` where it is another.
    pub fn downcast<E: EventKind>(&self) -> Option<EventEnvelope<E>> {
        let data = E::downcast(&self.data)?;
        Some(EventEnvelope {
            seq: self.seq,
            id: self.id,
            origin: self.origin,
            actor: self.actor.clone(),
            trace: self.trace.clone(),
            occurred_at: self.occurred_at,
            data,
        })
    }
}
