//! What a type must offer to be the type of a resource's field.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Why a text, number or object is not the value it was given for. A sentence for the person who sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{0}")]
pub struct ValueError(pub Cow<'static, str>);

/// A value that can be read from JSON with an error meant for the person who sent it.
pub trait FromJson: Sized {
    /// Reads it; `null` is not handled here.
    fn from_json(value: Value) -> Result<Self, ValueError>;
}

/// What kind of value a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum FieldKind {
    /// One line of text.
    Line,
    /// Text of several lines, in which spaces at the ends count.
    Lines,
    Amount,
    Tags,
    CustomFields,
}

/// The value of a field of a resource: how a merge patch (RFC 7396) changes it, and how a column of the
/// database holds it.
pub trait FieldValue: PartialEq + Sized {
    /// What a merge patch has for the field.
    type Patch;
    /// The type whose schema describes [`Self::Patch`] in OpenAPI, apart from `null`.
    type PatchSchema: ToSchema;
    /// What the column holds: `String`, `i64`, or an `Option` of one of them.
    type Column;

    /// What kind of value it is.
    const KIND: FieldKind;
    /// Whether a resource may have no value in the field.
    const NULLABLE: bool = false;

    /// The value in a resource created without one. `None` if the field is required.
    fn unset() -> Option<Self>;

    /// Reads the member of a merge patch.
    fn patch_from_json(value: Value) -> Result<Self::Patch, ValueError>;

    /// Applies a patch to the present value (`None` in a new component).
    fn patched(present: Option<&Self>, patch: Self::Patch) -> Result<Self, ValueError>;

    /// The value as one text, the empty one if it is absent. `None` for lists and maps.
    fn as_text(&self) -> Option<Cow<'_, str>>;

    /// The value in its column.
    fn to_column(&self) -> Self::Column;

    /// The value that a column holds. It was checked when it was written.
    fn from_column(column: Self::Column) -> Result<Self, ValueError>;
}

/// The part of [`FieldValue`] that is the same for all types which a patch replaces as a whole. `unset` is the value in
/// a component created without one; `null` in a patch sets it too.
macro_rules! replaced_by_patch {
    (kind: $kind:expr, unset: $unset:expr) => {
        const KIND: FieldKind = $kind;

        type Patch = Self;
        type PatchSchema = Self;

        fn unset() -> Option<Self> {
            $unset
        }

        fn patch_from_json(value: Value) -> Result<Self, ValueError> {
            if value.is_null()
                && let Some(unset) = Self::unset()
            {
                return Ok(unset);
            }
            Self::from_json(value)
        }

        fn patched(_: Option<&Self>, patch: Self) -> Result<Self, ValueError> {
            Ok(patch)
        }
    };
}
pub(super) use replaced_by_patch;

impl<T: FieldValue<Patch = T> + FromJson> FieldValue for Option<T> {
    type Patch = Self;
    type PatchSchema = T::PatchSchema;
    type Column = Option<T::Column>;

    const KIND: FieldKind = T::KIND;
    const NULLABLE: bool = true;

    fn unset() -> Option<Self> {
        Some(None)
    }

    fn patch_from_json(value: Value) -> Result<Self, ValueError> {
        if value.is_null() { Ok(None) } else { T::from_json(value).map(Some) }
    }

    fn patched(_: Option<&Self>, patch: Self) -> Result<Self, ValueError> {
        Ok(patch)
    }

    fn as_text(&self) -> Option<Cow<'_, str>> {
        self.as_ref().map_or(Some(Cow::Borrowed("")), T::as_text)
    }

    fn to_column(&self) -> Self::Column {
        self.as_ref().map(T::to_column)
    }

    fn from_column(column: Self::Column) -> Result<Self, ValueError> {
        column.map(T::from_column).transpose()
    }
}

pub(super) fn expected(what: &str, found: &Value) -> ValueError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    ValueError(format!("must be {what}, not {found}").into())
}

/// Why a column that holds JSON cannot be read.
pub(super) fn not_json(error: &serde_json::Error) -> ValueError {
    ValueError(format!("is not valid JSON for this field: {error}").into())
}
