//! What a component is.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    actor::Actor,
    clock::rfc3339,
    field_value::{FieldKind, FieldValue},
};
use crate::component_fields;

/// The identity of a component: a UUID of version 7 (RFC 9562), so that ids sort by the time of creation.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(transparent)]
pub struct ComponentId(pub Uuid);

impl ComponentId {
    /// A new id.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// What the events about it have as their subject.
    pub fn subject(self) -> String {
        format!("components/{self}")
    }
}

impl From<Uuid> for ComponentId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

macro_rules! declare {
    ($($(#[$attribute:meta])+ $member:ident: $Variant:ident($type:ty => $column:ty), $patch_doc:literal;)+) => {
        /// A kind of part that the organisation stocks. Responses, events and exports all use this representation.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
        pub struct Component {
            /// The id, which never changes and is never reused.
            pub id: ComponentId,
            $($(#[$attribute])+ pub $member: $type,)+
            /// When it was created, to the microsecond.
            #[serde(with = "rfc3339")]
            pub created_at: OffsetDateTime,
            /// Who created it.
            pub created_by: Actor,
            /// When it was last changed, to the microsecond.
            #[serde(with = "rfc3339")]
            pub updated_at: OffsetDateTime,
            /// Who last changed it.
            pub updated_by: Actor,
            /// The row version behind `ETag` and `If-Match`: 1 at creation, incremented by each change.
            pub version: u64,
        }

        impl Component {
            /// A field as one text, the empty one if it is absent. `None` for lists and maps.
            pub fn text(&self, field: Field) -> Option<Cow<'_, str>> {
                match field {
                    $(Field::$Variant => self.$member.as_text(),)+
                }
            }
        }

        /// A field of a component that users may set.
        #[expect(missing_docs, reason = "each is documented on the field of Component that it names")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Field {
            $($Variant,)+
        }

        impl Field {
            /// All of them, in the order of [`Component`].
            pub const ALL: [Self; [$(Self::$Variant),+].len()] = [$(Self::$Variant),+];

            /// What kind of value it has.
            pub fn kind(self) -> FieldKind {
                match self {
                    $(Self::$Variant => <$type>::KIND,)+
                }
            }

            /// Whether no component can be created without it.
            pub fn is_required(self) -> bool {
                match self {
                    $(Self::$Variant => <$type>::unset().is_none(),)+
                }
            }

            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Variant => stringify!($member),)+
                }
            }
        }
    };
}

component_fields!(declare);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::NewComponent;

    #[test]
    fn the_wire_form_of_a_component_is_locked() {
        let new = NewComponent::from_json(json!({
            "name": "74HC00", "sku": "74xx/74HC00", "unit_cost": "0.250", "currency": "EUR",
            "custom_fields": {"pins": 14, "rohs": true}, "tags": ["logic", "cmos"],
        }));
        let at = OffsetDateTime::UNIX_EPOCH;
        let component = new.unwrap().create(ComponentId(Uuid::nil()), at, Actor::cli()).unwrap();
        insta::assert_json_snapshot!(component);
    }

    #[test]
    fn all_fields_but_tags_and_custom_fields_are_one_text() {
        // The CSV writer and the forms of the web admin ask for the text, and treat these two by themselves.
        let other = Field::ALL
            .into_iter()
            .filter(|field| matches!(field.kind(), FieldKind::Tags | FieldKind::CustomFields));
        assert_eq!(other.collect::<Vec<_>>(), [Field::Tags, Field::CustomFields]);
    }
}
