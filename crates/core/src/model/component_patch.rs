//! How a component comes to be and how its fields change.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{AdditionalProperties, ObjectBuilder, Schema},
    },
};

use super::{
    actor::Actor,
    component::{Component, ComponentId, Field},
    field_value::FieldValue,
    merge_patch::{FieldError, PatchReader, ValidationErrors, add_schema, created, property, set},
    value::{Name, Sku},
};
use crate::component_fields;

macro_rules! declare {
    ($($(#[$attribute:meta])+ $member:ident: $Variant:ident($type:ty => $column:ty), $patch_doc:literal;)+) => {
        /// A JSON merge patch (RFC 7396) of a component: an absent member leaves its field unchanged, and `null`
        /// clears the field or resets it to its default.
        // It is read by `ComponentPatch::from_json` alone, which reports every error at once.
        #[derive(Debug, Clone, PartialEq, Default, Serialize)]
        pub struct ComponentPatch {
            $(
                #[doc = $patch_doc]
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $member: Option<<$type as FieldValue>::Patch>,
            )+
        }

        impl ComponentPatch {
            fn read(members: &mut PatchReader) -> Self {
                Self { $($member: members.take::<$type>(stringify!($member)),)+ }
            }

            /// Writes the patch into a component and names the fields whose value it changed.
            fn apply(self, component: &mut Component) -> Result<Vec<Field>, ValidationErrors> {
                let mut changed = Vec::new();
                $(
                    if set(stringify!($member), &mut component.$member, self.$member)? {
                        changed.push(Field::$Variant);
                    }
                )+
                Ok(changed)
            }
        }

        impl NewComponent {
            /// The component in its first version.
            pub fn create(
                self,
                id: ComponentId,
                at: OffsetDateTime,
                by: Actor,
            ) -> Result<Component, ValidationErrors> {
                Ok(Component {
                    id,
                    $($member: created::<$type>(stringify!($member), self.0.$member)?,)+
                    created_at: at,
                    created_by: by.clone(),
                    updated_at: at,
                    updated_by: by,
                    version: 1,
                })
            }
        }

        /// The members of a merge patch in OpenAPI, in their order.
        fn schema_of_patch() -> ObjectBuilder {
            ObjectBuilder::new()$(.property(stringify!($member), property::<$type>($patch_doc)))+
        }

        fn schemas_of_patch(schemas: &mut Vec<(String, RefOr<Schema>)>) {
            $(add_schema::<$type>(schemas);)+
        }
    };
}

component_fields!(declare);

impl ComponentPatch {
    /// Reads a merge patch and reports every member that is wrong, also those that are not known.
    pub fn from_json(value: Value) -> Result<Self, ValidationErrors> {
        let mut members = PatchReader::new(value)?;
        let patch = Self::read(&mut members);
        members.finish(patch)
    }
}

/// The names of the fields without which no component can be created.
fn required() -> impl Iterator<Item = &'static str> {
    Field::ALL.into_iter().filter(|field| field.is_required()).map(Field::as_str)
}

/// What a component is made from: a patch that has every required field.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct NewComponent(ComponentPatch);

impl NewComponent {
    /// Reads a new component and reports every member that is missing, wrong or not known.
    pub fn from_json(value: Value) -> Result<Self, ValidationErrors> {
        let missing: Vec<_> = match &value {
            Value::Object(members) => {
                required().filter(|name| !members.contains_key(*name)).map(FieldError::missing).collect()
            }
            _ => Vec::new(),
        };
        match ComponentPatch::from_json(value) {
            Ok(patch) if missing.is_empty() => Ok(Self(patch)),
            Ok(_) => Err(ValidationErrors(missing)),
            Err(ValidationErrors(mut errors)) => {
                errors.extend(missing);
                Err(ValidationErrors(errors))
            }
        }
    }

    /// A component of this name with everything else empty.
    pub fn named(name: Name) -> Self {
        Self(ComponentPatch { name: Some(name), ..ComponentPatch::default() })
    }

    /// The sku that it asks for.
    pub fn sku(&self) -> Option<&Sku> {
        self.0.sku.as_ref().and_then(Option::as_ref)
    }
}

impl PartialSchema for ComponentPatch {
    fn schema() -> RefOr<Schema> {
        schema_of_patch()
            .description(Some(
                "A JSON merge patch (RFC 7396) of a component: an absent member leaves its field unchanged, \
                 and `null`\nclears the field or resets it to its default.",
            ))
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .into()
    }
}

impl ToSchema for ComponentPatch {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas_of_patch(schemas);
    }
}

impl PartialSchema for NewComponent {
    fn schema() -> RefOr<Schema> {
        required()
            .fold(schema_of_patch(), ObjectBuilder::required)
            .description(Some("The members of a new component; only the name is required."))
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .into()
    }
}

impl ToSchema for NewComponent {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas_of_patch(schemas);
    }
}

impl Component {
    /// This component in its next version, with the names of the fields that differ; `None` where the
    /// patch changes nothing, which then is no new version.
    pub fn patched(
        &self,
        patch: ComponentPatch,
        at: OffsetDateTime,
        by: Actor,
    ) -> Result<Option<(Self, Vec<Field>)>, ValidationErrors> {
        let mut after = self.clone();
        let changed = patch.apply(&mut after)?;
        if changed.is_empty() {
            return Ok(None);
        }
        after.updated_at = at;
        after.updated_by = by;
        after.version += 1;
        Ok(Some((after, changed)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn component(value: Value) -> Component {
        let at = OffsetDateTime::UNIX_EPOCH;
        NewComponent::from_json(value).unwrap().create(ComponentId(Uuid::nil()), at, Actor::cli()).unwrap()
    }

    #[test]
    fn every_wrong_member_is_reported_with_a_pointer() {
        let ValidationErrors(errors) = NewComponent::from_json(json!({
            "sku": 5, "tags": ["a", 1], "colour/size": "red", "unit_cost": 1.5, "status": "gone",
        }))
        .unwrap_err();
        let lines: Vec<_> = errors.iter().map(|e| format!("{} {}", e.pointer, e.detail)).collect();
        assert_eq!(
            lines,
            [
                "/sku must be a string, not a number",
                "/unit_cost must be a decimal in a string, such as \"0.25\", not a number",
                "/tags item 1 must be a string, not a number",
                "/status must be \"active\" or \"archived\"",
                "/colour~1size is not a field that can be set",
                "/name is required",
            ]
        );
    }

    #[test]
    fn a_patch_follows_rfc_7396() {
        let before = component(json!({
            "name": "a", "sku": "s", "description": "d", "custom_fields": {"x": 1, "y": "two"}, "tags": ["t"],
        }));
        let patch = ComponentPatch::from_json(json!({
            "sku": null, "description": null, "custom_fields": {"x": null, "z": true}, "name": "a",
        }))
        .unwrap();
        let (after, changed) =
            before.patched(patch, OffsetDateTime::UNIX_EPOCH, Actor::cli()).unwrap().unwrap();
        assert_eq!(changed, [Field::Sku, Field::Description, Field::CustomFields]);
        assert_eq!(after.version, 2);
        assert_eq!(after.sku, None);
        assert_eq!(after.description.as_str(), "");
        assert_eq!(serde_json::to_value(&after.custom_fields).unwrap(), json!({"y": "two", "z": true}));
        assert_eq!(after.tags, before.tags);
    }

    #[test]
    fn a_patch_that_changes_nothing_is_no_version() {
        let before = component(json!({"name": "a"}));
        let patch = ComponentPatch::from_json(json!({"name": "a", "sku": null, "unit": null})).unwrap();
        assert_eq!(before.patched(patch, OffsetDateTime::UNIX_EPOCH, Actor::cli()).unwrap(), None);
    }
}
