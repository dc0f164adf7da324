//! What there is: components, the people who keep them, their tokens, and the values that these consist of.

pub(crate) mod actor;
pub(crate) mod clock;
pub(crate) mod component;
mod component_fields;
pub(crate) mod component_patch;
pub(crate) mod custom_fields;
pub(crate) mod field_value;
pub(crate) mod merge_patch;
pub(crate) mod scope;
pub(crate) mod tags;
mod text_schema;
pub(crate) mod token;
pub(crate) mod user;
pub(crate) mod value;
