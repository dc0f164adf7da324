//! What can happen, and the envelope in which it is told.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    actor::Actor,
    component::{Component, Field},
    token::Token,
};

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

/// A component came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentCreated {
    /// As it was created.
    pub component: Arc<Component>,
}

/// A component was changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentUpdated {
    /// As it was.
    pub before: Arc<Component>,
    /// As it is now.
    pub after: Arc<Component>,
    /// The fields whose value differs.
    pub changed: Vec<Field>,
}

/// A component is no more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComponentDeleted {
    /// As it last was.
    pub component: Arc<Component>,
}

/// An API token was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenCreated {
    /// The token, without its secret.
    pub token: Arc<Token>,
}

/// An API token was revoked: it is good for nothing from now on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenRevoked {
    /// The token, without its secret.
    pub token: Arc<Token>,
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

/// Everything that can happen. Clones share their data.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is documented on the type of the same name")]
pub enum Event {
    ComponentCreated(ComponentCreated),
    ComponentUpdated(ComponentUpdated),
    ComponentDeleted(ComponentDeleted),
    TokenCreated(TokenCreated),
    TokenRevoked(TokenRevoked),
    Unknown(UnknownEvent),
}

/// Why the data of an event in the log cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the data of an event of type {type} version {version} cannot be read")]
pub struct DecodeError {
    r#type: String,
    version: u16,
    source: serde_json::Error,
}

impl Event {
    /// The version of the data of every type so far. A breaking change is a new type, not a new version.
    pub const VERSION: u16 = 1;

    /// The name of its type, as stored and as sent: noun and past verb.
    pub fn type_name(&self) -> &str {
        match self {
            Self::ComponentCreated(_) => ComponentCreated::TYPE,
            Self::ComponentUpdated(_) => ComponentUpdated::TYPE,
            Self::ComponentDeleted(_) => ComponentDeleted::TYPE,
            Self::TokenCreated(_) => TokenCreated::TYPE,
            Self::TokenRevoked(_) => TokenRevoked::TYPE,
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

    /// What it is about, as a path: `components/{id}` or `tokens/{id}`.
    pub fn subject(&self) -> String {
        match self {
            Self::ComponentCreated(event) => format!("components/{}", event.component.id),
            Self::ComponentUpdated(event) => format!("components/{}", event.after.id),
            Self::ComponentDeleted(event) => format!("components/{}", event.component.id),
            Self::TokenCreated(event) => format!("tokens/{}", event.token.id),
            Self::TokenRevoked(event) => format!("tokens/{}", event.token.id),
            Self::Unknown(event) => event.subject.to_string(),
        }
    }

    /// Its data as JSON.
    pub fn data(&self) -> Result<Box<RawValue>, serde_json::Error> {
        match self {
            Self::ComponentCreated(event) => serde_json::value::to_raw_value(event),
            Self::ComponentUpdated(event) => serde_json::value::to_raw_value(event),
            Self::ComponentDeleted(event) => serde_json::value::to_raw_value(event),
            Self::TokenCreated(event) => serde_json::value::to_raw_value(event),
            Self::TokenRevoked(event) => serde_json::value::to_raw_value(event),
            Self::Unknown(event) => Ok((*event.data).to_owned()),
        }
    }

    /// The event that was stored under this type and version. An unknown one becomes [`Event::Unknown`].
    pub fn decode(r#type: &str, version: u16, subject: &str, data: &str) -> Result<Self, DecodeError> {
        let decoded = match (r#type, version) {
            (ComponentCreated::TYPE, Self::VERSION) => serde_json::from_str(data).map(Self::ComponentCreated),
            (ComponentUpdated::TYPE, Self::VERSION) => serde_json::from_str(data).map(Self::ComponentUpdated),
            (ComponentDeleted::TYPE, Self::VERSION) => serde_json::from_str(data).map(Self::ComponentDeleted),
            (TokenCreated::TYPE, Self::VERSION) => serde_json::from_str(data).map(Self::TokenCreated),
            (TokenRevoked::TYPE, Self::VERSION) => serde_json::from_str(data).map(Self::TokenRevoked),
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

/// A kind of event that a subscriber can ask for: one type, or [`Event`] for all of them.
pub trait EventKind: Clone + Send + Sync + 'static {
    /// The event as this kind, or `None` where it is another.
    fn pick(event: &Event) -> Option<Self>;
}

impl EventKind for Event {
    fn pick(event: &Event) -> Option<Self> {
        Some(event.clone())
    }
}

macro_rules! event_kind {
    ($($name:ident = $type:literal),* $(,)?) => {
        /// Every type of event that this binary can write.
        pub const EVENT_TYPES: &[&str] = &[$($type),*];

        $(
            impl $name {
                /// The name of this type of event.
                pub const TYPE: &str = $type;
            }

            impl EventKind for $name {
                fn pick(event: &Event) -> Option<Self> {
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

event_kind! {
    ComponentCreated = "component.created",
    ComponentUpdated = "component.updated",
    ComponentDeleted = "component.deleted",
    TokenCreated = "token.created",
    TokenRevoked = "token.revoked",
}

/// An event as the log holds it. Clones share their data.
#[derive(Debug, Clone)]
pub struct Recorded<E = Event> {
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

impl Recorded {
    /// The same event as a certain kind, or `None` where it is another.
    pub fn pick<E: EventKind>(&self) -> Option<Recorded<E>> {
        let data = E::pick(&self.data)?;
        Some(Recorded {
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
