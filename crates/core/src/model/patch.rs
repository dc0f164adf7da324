//! How a component comes to be and how its fields change: merge patches (RFC 7396), read so that every error is
//! reported at once.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{AdditionalProperties, ObjectBuilder, OneOfBuilder, RefBuilder, Schema, Type},
    },
};

use super::{
    actor::Actor,
    component::{Component, ComponentId, Field},
    field_value::{FieldValue, ValueError},
    value::{Name, Sku},
};
use crate::component_fields;

/// What is wrong with one member of an object that a client sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// A JSON pointer (RFC 6901) to it, within the object.
    pub pointer: String,
    /// What is wrong, for a person.
    pub detail: String,
}

impl FieldError {
    fn of(field: Field, detail: String) -> Self {
        Self { pointer: format!("/{}", field.as_str()), detail }
    }

    fn missing(field: Field) -> Self {
        Self::of(field, "is required".to_owned())
    }
}

/// An object that cannot be taken, with every reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{}", .0.iter().map(|error| format!("{} {}", error.pointer, error.detail)).collect::<Vec<_>>().join("; "))]
pub struct ValidationErrors(pub Vec<FieldError>);

macro_rules! declare {
    ($($(#[$doc:meta])+ $member:ident: $Variant:ident($type:ty => $column:ty), $patch_doc:literal;)+) => {
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
            fn read(members: &mut Members) -> Self {
                Self { $($member: members.take::<$type>(Field::$Variant),)+ }
            }

            /// Writes the patch into a component and names the fields whose value it changed.
            fn apply(self, component: &mut Component) -> Result<Vec<Field>, ValidationErrors> {
                let mut changed = Vec::new();
                $(
                    if let Some(patch) = self.$member {
                        let value = <$type>::patched(Some(&component.$member), patch).map_err(at(Field::$Variant))?;
                        if value != component.$member {
                            component.$member = value;
                            changed.push(Field::$Variant);
                        }
                    }
                )+
                Ok(changed)
            }
        }

        impl NewComponent {
            /// The fields without which no component can be created.
            fn required() -> impl Iterator<Item = Field> {
                [$((Field::$Variant, <$type>::unset().is_none())),+]
                    .into_iter()
                    .filter_map(|(field, required)| required.then_some(field))
            }

            /// The component in its first version.
            pub fn create(
                self,
                id: ComponentId,
                at: OffsetDateTime,
                by: Actor,
            ) -> Result<Component, ValidationErrors> {
                Ok(Component {
                    id,
                    $($member: created::<$type>(Field::$Variant, self.0.$member)?,)+
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
            $(add_schema::<<$type as FieldValue>::PatchSchema>(schemas);)+
        }
    };
}

component_fields!(declare);

impl ComponentPatch {
    /// Reads a merge patch and reports every member that is wrong, also those that are not known.
    pub fn from_json(value: Value) -> Result<Self, ValidationErrors> {
        let Value::Object(members) = value else {
            return Err(ValidationErrors(vec![FieldError {
                pointer: String::new(),
                detail: "must be an object".to_owned(),
            }]));
        };
        let mut members = Members { members, errors: Vec::new() };
        let patch = Self::read(&mut members);
        members.finish(patch)
    }
}

/// Says of which field a value is wrong.
fn at(field: Field) -> impl FnOnce(ValueError) -> ValidationErrors {
    move |error| ValidationErrors(vec![FieldError::of(field, error.to_string())])
}

/// The value of a field in a new component.
fn created<T: FieldValue>(field: Field, patch: Option<T::Patch>) -> Result<T, ValidationErrors> {
    match patch {
        Some(patch) => T::patched(None, patch).map_err(at(field)),
        None => T::unset().ok_or_else(|| ValidationErrors(vec![FieldError::missing(field)])),
    }
}

/// What a component is made from: a patch that has every required field.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct NewComponent(ComponentPatch);

impl NewComponent {
    /// Reads a new component and reports every member that is missing, wrong or not known.
    pub fn from_json(value: Value) -> Result<Self, ValidationErrors> {
        let missing: Vec<_> = match &value {
            Value::Object(members) => Self::required()
                .filter(|field| !members.contains_key(field.as_str()))
                .map(FieldError::missing)
                .collect(),
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

/// The members of an object, taken one by one; what is left at the end is not known.
struct Members {
    members: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Members {
    /// The patch of a field, if there is one and it is right.
    fn take<T: FieldValue>(&mut self, field: Field) -> Option<T::Patch> {
        let value = self.members.remove(field.as_str())?;
        T::patch_from_json(value)
            .map_err(|error| self.errors.push(FieldError::of(field, error.to_string())))
            .ok()
    }

    fn finish<T>(mut self, whole: T) -> Result<T, ValidationErrors> {
        self.errors.extend(self.members.keys().map(|name| FieldError {
            // RFC 6901 escapes these two characters.
            pointer: format!("/{}", name.replace('~', "~0").replace('/', "~1")),
            detail: "is not a field that can be set".to_owned(),
        }));
        if self.errors.is_empty() { Ok(whole) } else { Err(ValidationErrors(self.errors)) }
    }
}

/// The schema of a member of a merge patch.
fn property<T: FieldValue>(doc: &str) -> RefOr<Schema> {
    let value = RefBuilder::new()
        .ref_location_from_schema_name(T::PatchSchema::name())
        .description(Some(doc))
        .build();
    if T::unset().is_none() {
        return RefOr::Ref(value);
    }
    let null = ObjectBuilder::new().schema_type(Type::Null);
    RefOr::T(Schema::OneOf(OneOfBuilder::new().item(value).item(null).build()))
}

fn add_schema<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::name().into_owned(), T::schema()));
    T::schemas(schemas);
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
        Self::required()
            .fold(schema_of_patch(), |schema, field| schema.required(field.as_str()))
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
