//! Events on the wire: CloudEvents 1.0.2 in the JSON event format.

use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::{EventEnvelope, EventId};

/// A CloudEvent. Its `source` is the log, not the process: it is the same whichever replica sends it.
#[derive(Debug, Serialize)]
pub struct CloudEvent {
    specversion: &'static str,
    id: EventId,
    source: String,
    r#type: String,
    subject: String,
    #[serde(with = "time::serde::rfc3339")]
    time: OffsetDateTime,
    datacontenttype: &'static str,
    /// The `sequence` extension: a text that sorts as the number does, since a CloudEvents integer has
    /// only 32 bits.
    sequence: String,
    actor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    data: Box<RawValue>,
}

/// What the types of all events begin with: CloudEvents asks for a reverse domain name.
const TYPE_PREFIX: &str = "io.inventory.";

impl CloudEvent {
    /// The event as it is sent, from the log of this epoch.
    pub fn new(recorded: &EventEnvelope, epoch: &str) -> Result<Self, serde_json::Error> {
        Ok(Self {
            specversion: "1.0",
            id: recorded.id,
            source: format!("/inventory/{epoch}"),
            r#type: format!("{TYPE_PREFIX}{}", recorded.data.type_name()),
            subject: recorded.data.subject(),
            time: recorded.occurred_at,
            datacontenttype: "application/json",
            sequence: format!("{:020}", recorded.seq.0),
            actor: recorded.actor.to_string(),
            traceparent: recorded.trace.as_deref().map(str::to_owned),
            data: recorded.data.data()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::{
        Actor, ComponentCreated, ComponentDeleted, ComponentId, ComponentPatch, ComponentUpdated,
        EVENT_TYPES, Event, NewComponent, Origin, Role, Scope, Scopes, Seq, SessionId, SignInRefusal,
        SignInRefused, Token, TokenCreated, TokenId, TokenRevoked, User, UserChange, UserCreated,
        UserDeleted, UserId, UserSignedIn, UserSignedOut, UserUpdated,
    };

    #[test]
    fn the_wire_form_of_every_event_is_locked() {
        let at = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        let component = NewComponent::from_json(serde_json::json!({"name": "74HC00", "sku": "74xx/74HC00"}))
            .unwrap()
            .create(ComponentId(Uuid::from_u128(7)), at, Actor::token("ci"))
            .unwrap();
        let patch = ComponentPatch::from_json(serde_json::json!({"min_quantity": "10"})).unwrap();
        let (after, changed) = component.patched(patch, at, Actor::cli()).unwrap().unwrap();
        let component = Arc::new(component);
        let recorded = |seq: u64, data: Event| EventEnvelope {
            seq: Seq(seq),
            id: EventId(Uuid::from_u128(u128::from(seq))),
            origin: Origin(Uuid::from_u128(1)),
            actor: Actor::token("ci"),
            trace: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            occurred_at: at,
            data,
        };
        let token = |revoked_at| {
            Arc::new(Token {
                id: TokenId(Uuid::from_u128(8)),
                name: "ci".to_owned(),
                owner: Some(UserId(Uuid::from_u128(9))),
                scopes: Scopes::of([Scope::Read, Scope::Metrics]),
                hint: "inv_AbCd".to_owned(),
                created_at: at,
                expires_at: None,
                revoked_at,
            })
        };
        let user =
            User::new(UserId(Uuid::from_u128(9)), "anna".parse().unwrap(), Role::Viewer, at, Actor::cli());
        let change = UserChange { role: Some(Role::Editor), ..UserChange::default() };
        let (promoted, role) = user.changed(change, at, Actor::user(&user.name)).unwrap();
        let (user, session) = (Arc::new(user), SessionId(Uuid::from_u128(10)));
        let address = "2001:db8::7".parse().unwrap();
        let events = [
            recorded(1, ComponentCreated { component: component.clone() }.into()),
            recorded(
                2,
                ComponentUpdated { before: component.clone(), after: Arc::new(after), changed }.into(),
            ),
            recorded(3, ComponentDeleted { component }.into()),
            recorded(4, TokenCreated { token: token(None) }.into()),
            recorded(5, TokenRevoked { token: token(Some(at)) }.into()),
            recorded(6, UserCreated { user: user.clone() }.into()),
            recorded(
                7,
                UserUpdated { before: user.clone(), after: Arc::new(promoted), changed: role }.into(),
            ),
            recorded(8, UserDeleted { user: user.clone() }.into()),
            recorded(9, UserSignedIn { user: user.id, name: user.name.clone(), session, address }.into()),
            recorded(10, UserSignedOut { user: user.id, name: user.name.clone(), session }.into()),
            recorded(
                11,
                SignInRefused { user: None, address, reason: SignInRefusal::UnknownUser, count: None }.into(),
            ),
        ];
        let names: Vec<_> = events.iter().map(|event| event.data.type_name()).collect();
        assert_eq!(names, EVENT_TYPES, "every type of event is here");
        let wire: Vec<_> = events.iter().map(|event| CloudEvent::new(event, "e1").unwrap()).collect();
        // By text, since a RawValue cannot pass through the snapshot's own serializer.
        insta::assert_snapshot!(serde_json::to_string_pretty(&wire).unwrap());
    }
}
