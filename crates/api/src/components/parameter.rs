//! The parameters of a list in the OpenAPI document, generated from the columns that the service can filter
//! and sort by.

use inventory_core::{Amount, Status};
use inventory_store::{Column, ColumnType, Operator, Search};
use serde_json::{Value, json};
use utoipa::{
    IntoParams,
    openapi::{
        Object, ObjectBuilder, RefOr, Required,
        path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle},
        schema::{ArrayBuilder, KnownFormat, Schema, SchemaFormat, Type},
    },
};

use super::{cursor, fields};

/// How many components a page has unless it is told otherwise.
pub(super) const DEFAULT_LIMIT: usize = 50;
/// How many components a page may have.
pub(super) const MAX_LIMIT: usize = 200;
/// How many values a filter may have: as many as a page has components.
pub(super) const MAX_FILTER_VALUES: usize = MAX_LIMIT;
/// How long one value of a filter may be, in characters.
pub(super) const MAX_FILTER_CHARS: usize = 2000;

/// The names of the columns that a list can be sorted by.
pub(super) fn sortable() -> Vec<&'static str> {
    Column::ALL.into_iter().filter(|column| column.sortable()).map(Column::as_str).collect()
}

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
            parameter("limit", "The maximum number of components on the page.", limit),
            parameter(
                "cursor",
                "The `next_cursor` or `previous_cursor` of another page of the same list. Empty or absent: \
                 the first page. Paging through the list returns each component that exists throughout \
                 exactly once, whatever is written in the meantime. If too many events are committed while a \
                 client pages, the response is 410: start again at the first page.",
                cursor,
            ),
            parameter(
                "sort",
                "The sort order; `-` before the field means descending. Absent values sort first in \
                 ascending order, and ties are ordered by id. The default is the order of creation.",
                sort,
            ),
            parameter(
                "q",
                "Search words, separated by spaces. A component matches if each word occurs in the `sku`, \
                 `name`, `description`, `mpn`, `manufacturer` or a tag, also as part of a word. The case of \
                 ASCII letters is ignored, and all other characters are matched literally.",
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
    let name = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(Column::ALL.map(Column::as_str)))
        .build();
    several(
        fields::PARAMETER,
        "The members that each component in the response has; by default all.",
        name,
        None,
    )
}

fn filter(column: Column, operator: Operator) -> Parameter {
    let field = column.as_str();
    let tags = column.column_type() == ColumnType::Tags;
    let about = match operator {
        Operator::Equal if tags => "Components that have this tag.".to_owned(),
        Operator::Equal => format!("Components whose `{field}` is this."),
        Operator::In if tags => "Components that have one of these tags.".to_owned(),
        Operator::In => format!("Components whose `{field}` is one of these."),
        Operator::AtLeast => format!("Components whose `{field}` is at least this."),
        Operator::AtMost => format!("Components whose `{field}` is at most this."),
        Operator::Contains => {
            format!("Components whose `{field}` contains this; the case of ASCII letters is ignored.")
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
    match column.column_type() {
        ColumnType::Id => {
            object.schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)))
        }
        ColumnType::Amount => object.schema_type(Type::String).pattern(Some(Amount::PATTERN)),
        ColumnType::Time => {
            object.schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        }
        ColumnType::Integer => object
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(i64::MIN))
            .maximum(Some(i64::MAX)),
        ColumnType::Text | ColumnType::Tags | ColumnType::CustomFields => {
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
