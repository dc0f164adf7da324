//! How a component comes to be and how its fields change: merge patches (RFC 7396), read so that every error is
//! reported at once.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{
    actor::Actor,
    component::{Component, ComponentId, Field},
    value::{
        Amount, Barcode, Currency, CustomFields, CustomFieldsPatch, DatasheetUrl, Description, FromJson,
        Manufacturer, Mpn, Name, Notes, Sku, Status, Tags, Unit, ValueError,
    },
};

/// What is wrong with one member of an object that a client sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// A JSON pointer (RFC 6901) to it, within the object.
    pub pointer: String,
    /// What is wrong, for a person.
    pub detail: String,
}

/// An object that cannot be taken, with every reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{}", .0.iter().map(|error| format!("{} {}", error.pointer, error.detail)).collect::<Vec<_>>().join("; "))]
pub struct ValidationErrors(pub Vec<FieldError>);

/// A JSON merge patch (RFC 7396) of a component: an absent member leaves its field unchanged, and `null`
/// clears the field or resets it to its default.
// It is read by `ComponentPatch::from_json` alone, which reports every error at once.
#[derive(Debug, Clone, PartialEq, Default, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ComponentPatch {
    /// The stock-keeping unit, unique in the organisation.
    #[schema(value_type = Option<Sku>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<Option<Sku>>,
    /// The name.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// The description; `null` clears it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// Free notes; `null` clears them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<Notes>,
    /// The manufacturer.
    #[schema(value_type = Option<Manufacturer>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<Option<Manufacturer>>,
    /// Manufacturer part number.
    #[schema(value_type = Option<Mpn>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mpn: Option<Option<Mpn>>,
    /// The content of the barcode or QR code.
    #[schema(value_type = Option<Barcode>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub barcode: Option<Option<Barcode>>,
    /// The unit of quantities; `null` sets `pcs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// The quantity below which stock counts as low; `null` sets zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_quantity: Option<Amount>,
    /// The cost of one unit.
    #[schema(value_type = Option<Amount>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_cost: Option<Option<Amount>>,
    /// The currency of `unit_cost` (ISO 4217).
    #[schema(value_type = Option<Currency>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Option<Currency>>,
    /// The URL of the data sheet.
    #[schema(value_type = Option<DatasheetUrl>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub datasheet_url: Option<Option<DatasheetUrl>>,
    /// Labels that group components; `null` removes all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// Fields to set, or `null` to remove one; `null` for the whole object removes all.
    #[schema(value_type = Option<CustomFieldsPatch>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_fields: Option<Option<CustomFieldsPatch>>,
    /// Whether it is in use; `null` sets `active`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

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
        let patch = Self {
            sku: members.nullable(Field::Sku),
            name: members.required(Field::Name),
            description: members.or_default(Field::Description),
            notes: members.or_default(Field::Notes),
            manufacturer: members.nullable(Field::Manufacturer),
            mpn: members.nullable(Field::Mpn),
            barcode: members.nullable(Field::Barcode),
            unit: members.or_default(Field::Unit),
            min_quantity: members.or_default(Field::MinQuantity),
            unit_cost: members.nullable(Field::UnitCost),
            currency: members.nullable(Field::Currency),
            datasheet_url: members.nullable(Field::DatasheetUrl),
            tags: members.or_default(Field::Tags),
            custom_fields: members.nullable(Field::CustomFields),
            status: members.or_default(Field::Status),
        };
        members.finish(patch)
    }

    /// Writes the patch into a component and names the fields whose value it changed.
    pub(crate) fn apply(self, component: &mut Component) -> Result<Vec<Field>, ValidationErrors> {
        let Self {
            sku,
            name,
            description,
            notes,
            manufacturer,
            mpn,
            barcode,
            unit,
            min_quantity,
            unit_cost,
            currency,
            datasheet_url,
            tags,
            custom_fields,
            status,
        } = self;
        let custom_fields = custom_fields
            .map(|patch| {
                let mut fields = CustomFields::default();
                if let Some(patch) = patch {
                    fields.clone_from(&component.custom_fields);
                    fields.merge(patch)?;
                }
                Ok(fields)
            })
            .transpose()
            .map_err(|error: ValueError| {
                ValidationErrors(vec![FieldError {
                    pointer: "/custom_fields".to_owned(),
                    detail: error.to_string(),
                }])
            })?;
        let mut changed = Vec::new();
        let mut fields = Changes(&mut changed);
        fields.set(Field::Sku, &mut component.sku, sku);
        fields.set(Field::Name, &mut component.name, name);
        fields.set(Field::Description, &mut component.description, description);
        fields.set(Field::Notes, &mut component.notes, notes);
        fields.set(Field::Manufacturer, &mut component.manufacturer, manufacturer);
        fields.set(Field::Mpn, &mut component.mpn, mpn);
        fields.set(Field::Barcode, &mut component.barcode, barcode);
        fields.set(Field::Unit, &mut component.unit, unit);
        fields.set(Field::MinQuantity, &mut component.min_quantity, min_quantity);
        fields.set(Field::UnitCost, &mut component.unit_cost, unit_cost);
        fields.set(Field::Currency, &mut component.currency, currency);
        fields.set(Field::DatasheetUrl, &mut component.datasheet_url, datasheet_url);
        fields.set(Field::Tags, &mut component.tags, tags);
        fields.set(Field::CustomFields, &mut component.custom_fields, custom_fields);
        fields.set(Field::Status, &mut component.status, status);
        Ok(changed)
    }
}

struct Changes<'a>(&'a mut Vec<Field>);

impl Changes<'_> {
    fn set<T: PartialEq>(&mut self, field: Field, current: &mut T, new: Option<T>) {
        if let Some(new) = new
            && *current != new
        {
            *current = new;
            self.0.push(field);
        }
    }
}

/// What a component is made from: a patch that names it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NewComponent {
    name: Name,
    #[serde(flatten)]
    patch: ComponentPatch,
}

impl NewComponent {
    /// Reads a new component and reports every member that is missing, wrong or not known.
    pub fn from_json(value: Value) -> Result<Self, ValidationErrors> {
        let unnamed = matches!(&value, Value::Object(members) if !members.contains_key(Field::Name.as_str()));
        let missing = || FieldError { pointer: "/name".to_owned(), detail: "is required".to_owned() };
        match ComponentPatch::from_json(value) {
            Ok(mut patch) => match patch.name.take() {
                Some(name) => Ok(Self { name, patch }),
                None => Err(ValidationErrors(vec![missing()])),
            },
            Err(ValidationErrors(mut errors)) => {
                if unnamed {
                    errors.push(missing());
                }
                Err(ValidationErrors(errors))
            }
        }
    }

    /// A component of this name with everything else empty.
    pub fn named(name: Name) -> Self {
        Self { name, patch: ComponentPatch::default() }
    }

    /// The sku that it asks for.
    pub fn sku(&self) -> Option<&Sku> {
        self.patch.sku.as_ref().and_then(Option::as_ref)
    }

    /// The component in its first version.
    pub fn create(
        self,
        id: ComponentId,
        at: OffsetDateTime,
        by: Actor,
    ) -> Result<Component, ValidationErrors> {
        let mut component = Component {
            id,
            sku: None,
            name: self.name,
            description: Description::default(),
            notes: Notes::default(),
            manufacturer: None,
            mpn: None,
            barcode: None,
            unit: Unit::default(),
            min_quantity: Amount::default(),
            unit_cost: None,
            currency: None,
            datasheet_url: None,
            tags: Tags::default(),
            custom_fields: CustomFields::default(),
            status: Status::default(),
            created_at: at,
            created_by: by.clone(),
            updated_at: at,
            updated_by: by,
            version: 1,
        };
        self.patch.apply(&mut component)?;
        Ok(component)
    }
}

/// The members of an object, taken one by one; what is left at the end is not known.
struct Members {
    members: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Members {
    /// A member that may be `null`: absent, `null`, or a value.
    #[expect(clippy::option_option, reason = "the three cases are those of a merge patch, member by member")]
    fn nullable<T: FromJson>(&mut self, field: Field) -> Option<Option<T>> {
        match self.members.remove(field.as_str())? {
            Value::Null => Some(None),
            value => self.read(field, value).map(Some),
        }
    }

    /// A member whose `null` means its default.
    fn or_default<T: FromJson + Default>(&mut self, field: Field) -> Option<T> {
        self.nullable(field).map(Option::unwrap_or_default)
    }

    /// A member that may not be `null`.
    fn required<T: FromJson>(&mut self, field: Field) -> Option<T> {
        let value = self.members.remove(field.as_str())?;
        self.read(field, value)
    }

    fn read<T: FromJson>(&mut self, field: Field, value: Value) -> Option<T> {
        let error = match T::from_json(value) {
            Ok(value) => return Some(value),
            Err(error) => error.to_string(),
        };
        self.errors.push(FieldError { pointer: format!("/{}", field.as_str()), detail: error });
        None
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

mod schema {
    use utoipa::openapi::{RefOr, schema::Schema};
    use utoipa::{PartialSchema, ToSchema};

    use super::{ComponentPatch, NewComponent};

    impl PartialSchema for NewComponent {
        fn schema() -> RefOr<Schema> {
            let mut schema = ComponentPatch::schema();
            if let RefOr::T(Schema::Object(object)) = &mut schema {
                object.required.push("name".to_owned());
                object.description =
                    Some("The members of a new component; only the name is required.".to_owned());
            }
            schema
        }
    }

    impl ToSchema for NewComponent {
        fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
            ComponentPatch::schemas(schemas);
        }
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
