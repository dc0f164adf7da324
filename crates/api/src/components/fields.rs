//! Field selection: `?fields=id,name`.

use inventory_core::Component;
use inventory_http::Problem;
use inventory_store::Column;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, schema::Schema},
};

/// The parameter.
pub(super) const PARAMETER: &str = "fields";

/// Which members of a component a client wants: all, unless it names some.
#[derive(Debug, Default)]
pub(super) struct Fields(Option<Vec<&'static str>>);

impl Fields {
    /// Reads the parameter, where there is one.
    pub(super) fn parse(text: Option<&str>) -> Result<Self, Problem> {
        let Some(text) = text else { return Ok(Self(None)) };
        let names = text.split(',').map(|name| {
            Column::named(name).map(Column::as_str).ok_or_else(|| {
                Problem::parameter(
                    PARAMETER,
                    format!(
                        "names {name:?}, which is not a field; the fields are {}",
                        Column::ALL.map(Column::as_str).join(", ")
                    ),
                )
            })
        });
        Ok(Self(Some(names.collect::<Result<_, _>>()?)))
    }

    /// A component with only the members that are wanted.
    pub(super) fn of<'a, T: Serialize>(&'a self, component: &'a T) -> Selected<'a, T> {
        Selected { component, names: self.0.as_deref() }
    }
}

/// A component of which some members are written.
pub(super) struct Selected<'a, T> {
    component: &'a T,
    names: Option<&'a [&'static str]>,
}

impl<T: Serialize> Serialize for Selected<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(names) = self.names else { return self.component.serialize(serializer) };
        let whole = serde_json::to_value(self.component).map_err(serde::ser::Error::custom)?;
        let Value::Object(mut members) = whole else { return whole.serialize(serializer) };
        let wanted = names.iter().filter_map(|name| members.remove_entry(*name));
        wanted.collect::<Map<_, _>>().serialize(serializer)
    }
}

/// The schema of a component of which some members may be missing.
pub(super) struct SelectedComponent;

impl PartialSchema for SelectedComponent {
    fn schema() -> RefOr<Schema> {
        let mut schema = Component::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.required.clear();
            object.description = Some("A component: all members, or those that `fields` names.".to_owned());
        }
        schema
    }
}

impl ToSchema for SelectedComponent {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Component::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use inventory_core::{Actor, ComponentId, NewComponent};
    use serde_json::json;

    use super::*;

    #[test]
    fn every_member_of_a_component_can_be_chosen_and_nothing_else() {
        let new = NewComponent::from_json(json!({"name": "a", "tags": ["t"]})).unwrap();
        let component =
            new.create(ComponentId::generate(), time::OffsetDateTime::UNIX_EPOCH, Actor::cli()).unwrap();
        let all = Fields::parse(Some(&Column::ALL.map(Column::as_str).join(","))).unwrap();
        assert_eq!(
            serde_json::to_value(all.of(&component)).unwrap(),
            serde_json::to_value(&component).unwrap()
        );
        let some = Fields::parse(Some("tags,name,name")).unwrap();
        assert_eq!(serde_json::to_value(some.of(&component)).unwrap(), json!({"name": "a", "tags": ["t"]}));
        for bad in ["", "id,", "colour", "id, name", "Id"] {
            assert!(Fields::parse(Some(bad)).is_err(), "{bad:?} was taken");
        }
    }
}
