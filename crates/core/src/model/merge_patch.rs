//! JSON merge patches (RFC 7396) of resources: read member by member, so that every error is reported at once,
//! and described in OpenAPI.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, OneOfBuilder, RefBuilder, Schema, Type},
    },
};

use super::field_value::{FieldValue, ValueError};

/// What is wrong with one member of an object that a client sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// A JSON pointer (RFC 6901) to it, within the object.
    pub pointer: String,
    /// What is wrong, for a person.
    pub detail: String,
}

impl FieldError {
    /// The error of a required member that is not there.
    pub(super) fn missing(name: &str) -> Self {
        Self { pointer: pointer(name), detail: "is required".to_owned() }
    }
}

/// An object that cannot be taken, with every reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{}", .0.iter().map(|error| format!("{} {}", error.pointer, error.detail)).collect::<Vec<_>>().join("; "))]
pub struct ValidationErrors(pub Vec<FieldError>);

/// The pointer to a member (RFC 6901, which escapes two characters).
fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The members of a merge patch, taken one by one; what is left at the end is unknown.
pub(super) struct PatchReader {
    members: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl PatchReader {
    /// Fails unless the patch is an object.
    pub(super) fn new(patch: Value) -> Result<Self, ValidationErrors> {
        match patch {
            Value::Object(members) => Ok(Self { members, errors: Vec::new() }),
            _ => Err(ValidationErrors(vec![FieldError {
                pointer: String::new(),
                detail: "must be an object".to_owned(),
            }])),
        }
    }

    /// The patch of a field, if there is one and it is valid.
    pub(super) fn take<T: FieldValue>(&mut self, name: &str) -> Option<T::Patch> {
        let patch = T::patch_from_json(self.members.remove(name)?);
        patch.map_err(|error| self.errors.extend(invalid(name)(error).0)).ok()
    }

    /// What was made of the members, or every error.
    pub(super) fn finish<T>(mut self, whole: T) -> Result<T, ValidationErrors> {
        self.errors.extend(self.members.keys().map(|name| FieldError {
            pointer: pointer(name),
            detail: "is not a field that can be set".to_owned(),
        }));
        if self.errors.is_empty() { Ok(whole) } else { Err(ValidationErrors(self.errors)) }
    }
}

/// Says of which field a value is wrong.
fn invalid(name: &str) -> impl FnOnce(ValueError) -> ValidationErrors {
    move |error| ValidationErrors(vec![FieldError { pointer: pointer(name), detail: error.to_string() }])
}

/// The value of a field in a new resource.
pub(super) fn created<T: FieldValue>(name: &str, patch: Option<T::Patch>) -> Result<T, ValidationErrors> {
    match patch {
        Some(patch) => T::patched(None, patch).map_err(invalid(name)),
        None => T::unset().ok_or_else(|| ValidationErrors(vec![FieldError::missing(name)])),
    }
}

/// Sets a field as a patch says. Returns whether its value changed.
pub(super) fn set<T: FieldValue>(
    name: &str,
    present: &mut T,
    patch: Option<T::Patch>,
) -> Result<bool, ValidationErrors> {
    let Some(patch) = patch else { return Ok(false) };
    let value = T::patched(Some(present), patch).map_err(invalid(name))?;
    let changed = value != *present;
    if changed {
        *present = value;
    }
    Ok(changed)
}

/// The schema of a member of a merge patch.
pub(super) fn property<T: FieldValue>(about: &str) -> RefOr<Schema> {
    let value = RefBuilder::new()
        .ref_location_from_schema_name(T::PatchSchema::name())
        .description(Some(about))
        .build();
    if T::unset().is_none() {
        return RefOr::Ref(value);
    }
    let null = ObjectBuilder::new().schema_type(Type::Null);
    RefOr::T(Schema::OneOf(OneOfBuilder::new().item(value).item(null).build()))
}

/// Adds the schema of the values of a field.
pub(super) fn add_schema<T: FieldValue>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
    schemas.push((T::PatchSchema::name().into_owned(), T::PatchSchema::schema()));
    T::PatchSchema::schemas(schemas);
}
