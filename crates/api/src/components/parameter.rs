//! The parameters of a list, as the OpenAPI document tells of them: made from what the service reads.

use inventory_core::{Amount, Component, Status};
use inventory_store::{Column, Kind, Operator, Search};
use serde_json::{Value, json};
use utoipa::{
    IntoParams,
    openapi::{
        Object, ObjectBuilder, RefOr, Required,
        path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle},
        schema::{ArrayBuilder, KnownFormat, Schema, SchemaFormat, Type},
    },
};

use super::{
    cursor, fields,
    list::{DEFAULT_LIMIT, MAX_FILTER_CHARS, MAX_FILTER_VALUES, MAX_LIMIT, sortable},
};

/// Texts without NUL, which no field holds.
const TEXT: &str = r"^[^\u0000]*$";
/// The same without commas, which divide the values of `__in`.
const ITEM: &str = r"^[^\u0000,]*$";

/// The names of all parameters of a list.
pub(super) fn names() -> impl Iterator<Item = String> {
    let filters = filters().map(|(column, operator)| name(column, operator));
    ["limit", "cursor", "sort", "q", fields::PARAMETER].into_iter().map(str::to_owned).chain(filters)
}

fn filters() -> impl Iterator<Item = (Column, Operator)> {
    Column::ALL
        .into_iter()
        .flat_map(|column| column.operators().into_iter().map(move |operator| (column, operator)))
}

fn name(column: Column, operator: Operator) -> String {
    format!("{}{}", column.as_str(), operator.suffix())
}

/// The parameters of `listComponents`.
pub(super) struct ListParameters;

impl IntoParams for ListParameters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let limit = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(MAX_LIMIT))
            .default(Some(json!(DEFAULT_LIMIT)));
        let cursor = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(cursor::PATTERN))
            .max_length(Some(cursor::MAX_CHARS));
        let orders = sortable().into_iter().flat_map(|name| [name.to_owned(), format!("-{name}")]);
        let sort = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(orders))
            .default(Some(json!("id")));
        let search = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(TEXT))
            .max_length(Some(Search::MAX_CHARS));
        let mut parameters = vec![
            parameter("limit", "How many components the page has at most.", limit),
            parameter(
                "cursor",
                "The `next_cursor` or `previous_cursor` of another page of the same list. Empty or absent: \
                 the first page. A walk from page to page meets each component that exists throughout exactly \
                 once, whatever is written meanwhile. A walk over which too much was written ends with 410: \
                 begin it again.",
                cursor,
            ),
            parameter(
                "sort",
                "The order; `-` before the field is descending. Absent values count as the least, and \
                 components that are equal follow their ids. The default is the order of creation.",
                sort,
            ),
            parameter(
                "q",
                "Words with spaces between. Components in which each of them is found: in the `sku`, `name`, \
                 `description`, `mpn`, `manufacturer` or a tag, also as a part of a word, whatever the case of \
                 ASCII letters. Every other character stands for itself.",
                search,
            ),
            fields_parameter(),
        ];
        parameters.extend(filters().map(|(column, operator)| filter(column, operator)));
        parameters
    }
}

/// The parameters of `getComponent` in the query.
pub(super) struct FieldsParameter;

impl IntoParams for FieldsParameter {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![fields_parameter()]
    }
}

fn fields_parameter() -> Parameter {
    let name = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(Component::MEMBERS)).build();
    several(
        fields::PARAMETER,
        "The members that the components in the answer have; all, unless it is given.",
        name,
        None,
    )
}

fn filter(column: Column, operator: Operator) -> Parameter {
    let field = column.as_str();
    let tags = column.kind() == Kind::Tags;
    let about = match operator {
        Operator::Equal if tags => "Components that have this tag.".to_owned(),
        Operator::Equal => format!("Components whose `{field}` is this."),
        Operator::In if tags => "Components that have one of these tags.".to_owned(),
        Operator::In => format!("Components whose `{field}` is one of these."),
        Operator::AtLeast => format!("Components whose `{field}` is at least this."),
        Operator::AtMost => format!("Components whose `{field}` is at most this."),
        Operator::Contains => {
            format!("Components whose `{field}` contains this, whatever the case of ASCII letters.")
        }
        Operator::IsNull => format!("Components that have no `{field}` (`true`), or have one (`false`)."),
    };
    let name = name(column, operator);
    match operator {
        Operator::In => several(&name, &about, value(column, ITEM), Some(MAX_FILTER_VALUES)),
        Operator::IsNull => parameter(&name, &about, ObjectBuilder::new().schema_type(Type::Boolean)),
        _ => parameter(&name, &about, value(column, TEXT)),
    }
}

/// The schema of one value of a filter.
fn value(column: Column, text: &str) -> Object {
    let object = ObjectBuilder::new();
    match column.kind() {
        Kind::Id => {
            object.schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
        }
        Kind::Amount => object.schema_type(Type::String).pattern(Some(Amount::PATTERN)),
        Kind::Time => {
            object.schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        }
        Kind::Integer => object
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(i64::MIN))
            .maximum(Some(i64::MAX)),
        Kind::Text | Kind::Tags => {
            let examples: Vec<Value> = match column {
                Column::Status => vec![Status::Active.as_str().into()],
                _ => Vec::new(),
            };
            object
                .schema_type(Type::String)
                .pattern(Some(text))
                .max_length(Some(MAX_FILTER_CHARS))
                .examples(examples)
        }
    }
    .build()
}

/// A parameter that holds several values with commas between them.
fn several(name: &str, about: &str, item: Object, most: Option<usize>) -> Parameter {
    let items = ArrayBuilder::new().items(item).min_items(Some(1)).max_items(most);
    ParameterBuilder::from(parameter(name, about, items))
        .style(Some(ParameterStyle::Form))
        .explode(Some(false))
        .build()
}

fn parameter(name: &str, about: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(schema))
        .build()
}
