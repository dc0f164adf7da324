//! The OpenAPI schema of a batch body. The service does not deserialise into these types; it reads the body
//! member by member, so that it can report every error.

use inventory_core::{ComponentPatch, NewComponent};
use inventory_store::ComponentOperation;
use serde::Serialize;
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, Ref, RefOr,
        schema::{AdditionalProperties, ArrayBuilder, KnownFormat, OneOfBuilder, Schema, SchemaFormat, Type},
    },
};

/// How many operations a batch may have.
pub(super) const MAX_OPERATIONS: usize = 20_000;

/// The kind of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = BatchVerb)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verb {
    Create,
    Update,
    Delete,
}

impl Verb {
    pub(super) fn of(operation: &ComponentOperation) -> Self {
        match operation {
            ComponentOperation::Update { .. } => Self::Update,
            ComponentOperation::Delete { .. } => Self::Delete,
            ComponentOperation::Create(_) => Self::Create,
        }
    }

    /// The member of an operation that says what the component shall be.
    pub(super) fn content(self) -> &'static str {
        match self {
            Self::Create => "component",
            Self::Update | Self::Delete => "patch",
        }
    }
}

/// The schema of a batch.
pub(super) struct Batch;

impl PartialSchema for Batch {
    fn schema() -> RefOr<Schema> {
        let operations = ArrayBuilder::new()
            .items(Ref::from_schema_name("BatchOperation"))
            .min_items(Some(1))
            .max_items(Some(MAX_OPERATIONS))
            .description(Some("What to do, in order."));
        closed("Operations that are carried out together or not at all.")
            .property("operations", operations)
            .required("operations")
            .into()
    }
}

impl ToSchema for Batch {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        NewComponent::schemas(schemas);
        ComponentPatch::schemas(schemas);
        for (name, schema) in [
            (NewComponent::name(), NewComponent::schema()),
            (ComponentPatch::name(), ComponentPatch::schema()),
            ("ExpectedVersion".into(), version()),
            ("BatchOperation".into(), operation()),
        ] {
            schemas.push((name.into_owned(), schema));
        }
    }
}

fn operation() -> RefOr<Schema> {
    let create = one("create", "Create a component.")
        .property("component", Ref::from_schema_name(NewComponent::name()))
        .required("component");
    let existing = |op, about| {
        let id = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
            .description(Some("The component's id."));
        one(op, about)
            .property("id", id)
            .required("id")
            .property("version", Ref::from_schema_name("ExpectedVersion"))
            .required("version")
    };
    let update = existing("update", "Change a component.")
        .property("patch", Ref::from_schema_name(ComponentPatch::name()))
        .required("patch");
    OneOfBuilder::new()
        .item(create)
        .item(update)
        .item(existing("delete", "Delete a component."))
        .description(Some("One change."))
        .into()
}

fn one(op: &str, about: &str) -> ObjectBuilder {
    closed(about)
        .property("op", ObjectBuilder::new().schema_type(Type::String).enum_values(Some([op])))
        .required("op")
}

/// An object without other members than those that are named.
fn closed(about: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .description(Some(about))
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
}

fn version() -> RefOr<Schema> {
    let integer = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(1))
        .maximum(Some(i64::MAX));
    let any = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["*"]));
    OneOfBuilder::new()
        .item(integer)
        .item(any)
        .description(Some("The version that the change is based on, or `*` for any version."))
        .examples([json!(3), json!("*")])
        .into()
}
