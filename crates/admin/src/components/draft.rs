//! What stands in the fields of a form: texts, right or wrong, and the way between them and a component.

use std::collections::BTreeMap;

use inventory_core::{
    Component, ComponentPatch, CustomFieldValue, CustomFields, Field, FieldError, FieldKind, NewComponent,
    Tag, ValidationErrors,
};
use serde_json::{Map, Number, Value};

use crate::form_data::FormData;

/// The fields that are one text each: all but the custom fields.
pub(super) fn texts() -> impl Iterator<Item = Field> {
    Field::ALL.into_iter().filter(|field| *field != Field::CustomFields)
}

/// The texts of a form.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Draft {
    texts: BTreeMap<Field, String>,
    pub(super) customs: Vec<Custom>,
}

/// A custom field as it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Custom {
    pub(super) name: String,
    pub(super) kind: CustomKind,
    pub(super) value: String,
}

/// What a custom field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CustomKind {
    Text,
    Number,
    Boolean,
}

impl CustomKind {
    pub(super) const ALL: [Self; 3] = [Self::Text, Self::Number, Self::Boolean];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Number => "Number",
            Self::Boolean => "Yes or no",
        }
    }
}

impl Custom {
    fn of(name: &str, value: &CustomFieldValue) -> Self {
        let (kind, value) = match value {
            CustomFieldValue::Boolean(true) => (CustomKind::Boolean, "yes".to_owned()),
            CustomFieldValue::Boolean(false) => (CustomKind::Boolean, "no".to_owned()),
            CustomFieldValue::Number(number) => (CustomKind::Number, number.to_string()),
            CustomFieldValue::Text(text) => (CustomKind::Text, text.as_str().to_owned()),
        };
        Self { name: name.to_owned(), kind, value }
    }

    fn json(&self) -> Result<Value, String> {
        let text = self.value.trim();
        match self.kind {
            CustomKind::Text => Ok(Value::String(newlines(&self.value))),
            CustomKind::Number => serde_json::from_str::<Number>(text)
                .map(Value::Number)
                .map_err(|_| format!("{} must be a number, such as 14 or 0.5", self.name)),
            CustomKind::Boolean => match text.to_ascii_lowercase().as_str() {
                "yes" | "true" => Ok(Value::Bool(true)),
                "no" | "false" => Ok(Value::Bool(false)),
                _ => Err(format!("{} must be yes or no", self.name)),
            },
        }
    }

    fn is_blank(&self) -> bool {
        self.name.trim().is_empty() && self.value.trim().is_empty()
    }
}

impl Draft {
    /// The form of a component.
    pub(super) fn of(component: &Component) -> Self {
        let texts = texts().map(|field| (field, text(component, field))).collect();
        let customs = component.custom_fields.iter();
        Self { texts, customs: customs.map(|(name, value)| Custom::of(name.as_str(), value)).collect() }
    }

    /// The form of a new component.
    pub(super) fn empty() -> Self {
        Self::default()
    }

    /// The texts as they were sent.
    pub(super) fn read(fields: &FormData) -> Self {
        let sent = |field: Field| fields.get(field.as_str()).map(|text| (field, text.to_owned()));
        let kinds = fields.all("custom_kind").map(|kind| {
            CustomKind::ALL.into_iter().find(|known| known.as_str() == kind).unwrap_or(CustomKind::Text)
        });
        let customs = fields.all("custom_name").zip(kinds).zip(fields.all("custom_value"));
        let customs = customs
            .map(|((name, kind), value)| Custom {
                name: name.trim().to_owned(),
                kind,
                value: value.to_owned(),
            })
            .filter(|custom| !custom.is_blank());
        Self { texts: texts().filter_map(sent).collect(), customs: customs.collect() }
    }

    /// The text of a field.
    pub(super) fn text(&self, field: Field) -> &str {
        self.texts.get(&field).map_or("", String::as_str)
    }

    /// Whether the form had a field at all.
    pub(super) fn has(&self, field: Field) -> bool {
        self.texts.contains_key(&field)
    }

    /// Puts another text into a field.
    pub(super) fn set(&mut self, field: Field, text: String) {
        self.texts.insert(field, text);
    }

    /// The fields by which the same form is sent again.
    pub(super) fn fields(&self) -> Vec<(String, String)> {
        let texts = self.texts.iter().map(|(field, text)| (field.as_str().to_owned(), text.clone()));
        let customs = self.customs.iter().flat_map(|custom| {
            [
                ("custom_name".to_owned(), custom.name.clone()),
                ("custom_kind".to_owned(), custom.kind.as_str().to_owned()),
                ("custom_value".to_owned(), custom.value.clone()),
            ]
        });
        texts.chain(customs).collect()
    }

    /// The component that the form describes.
    pub(super) fn create(&self) -> Result<NewComponent, ValidationErrors> {
        let (json, errors) = self.json(&CustomFields::default());
        merge(errors, NewComponent::from_json(json))
    }

    /// The change that makes a component with these custom fields as the form says.
    pub(super) fn patch(&self, customs: &CustomFields) -> Result<ComponentPatch, ValidationErrors> {
        let (json, errors) = self.json(customs);
        merge(errors, ComponentPatch::from_json(json))
    }

    fn json(&self, present: &CustomFields) -> (Value, Vec<FieldError>) {
        let mut members: Map<String, Value> =
            self.texts.iter().map(|(field, text)| (field.as_str().to_owned(), json(*field, text))).collect();
        let removed = present
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !self.customs.iter().any(|custom| custom.name == name.as_str()));
        let mut customs: Map<String, Value> =
            removed.map(|name| (name.as_str().to_owned(), Value::Null)).collect();
        let mut errors = Vec::new();
        let mut wrong = |detail| {
            errors.push(FieldError { pointer: format!("/{}", Field::CustomFields.as_str()), detail });
        };
        for custom in &self.customs {
            match custom.json() {
                Ok(_) if custom.name.is_empty() => wrong("every custom field needs a name".to_owned()),
                Ok(value) => {
                    if customs.insert(custom.name.clone(), value).is_some() {
                        wrong(format!("{} is used twice", custom.name));
                    }
                }
                Err(detail) => wrong(detail),
            }
        }
        members.insert(Field::CustomFields.as_str().to_owned(), Value::Object(customs));
        (Value::Object(members), errors)
    }
}

fn merge<T>(mut errors: Vec<FieldError>, read: Result<T, ValidationErrors>) -> Result<T, ValidationErrors> {
    match read {
        Ok(read) if errors.is_empty() => Ok(read),
        Ok(_) => Err(ValidationErrors(errors)),
        Err(ValidationErrors(more)) => {
            errors.extend(more);
            Err(ValidationErrors(errors))
        }
    }
}

/// A field of a component as it is typed.
pub(super) fn text(component: &Component, field: Field) -> String {
    match (field, component.text(field)) {
        (_, Some(text)) => text.into_owned(),
        (Field::Tags, None) => component.tags.iter().map(Tag::as_str).collect::<Vec<_>>().join(", "),
        (_, None) => {
            let customs =
                component.custom_fields.iter().map(|(name, value)| Custom::of(name.as_str(), value));
            customs.map(|custom| format!("{}: {}", custom.name, custom.value)).collect::<Vec<_>>().join("\n")
        }
    }
}

/// A typed text as the member of a patch. Spaces around it are a slip, but where text has lines.
pub(super) fn json(field: Field, typed: &str) -> Value {
    let text = if field.kind() == FieldKind::Lines { newlines(typed) } else { typed.trim().to_owned() };
    match field {
        Field::Tags => text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).collect(),
        // An empty one is to be refused as empty, not as absent.
        _ if field.is_required() => Value::String(text),
        _ if text.is_empty() => Value::Null,
        Field::Currency => Value::String(text.to_ascii_uppercase()),
        _ => Value::String(text),
    }
}

/// Forms send each end of a line as two characters; the text had one.
fn newlines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// What to say of a field that is wrong.
pub(super) fn error_of(errors: &[FieldError], field: Field) -> Option<String> {
    let pointer = format!("/{}", field.as_str());
    let details: Vec<_> =
        errors.iter().filter(|error| error.pointer == pointer).map(|error| error.detail.as_str()).collect();
    (!details.is_empty()).then(|| details.join("; "))
}

#[cfg(test)]
mod tests {
    use inventory_core::{Actor, ComponentId};
    use serde_json::json;
    use time::OffsetDateTime;

    use super::*;

    fn component(value: Value) -> Component {
        let new = NewComponent::from_json(value).unwrap();
        new.create(ComponentId::generate(), OffsetDateTime::UNIX_EPOCH, Actor::cli()).unwrap()
    }

    #[test]
    fn a_form_that_is_sent_as_it_came_changes_nothing() {
        let before = component(json!({
            "name": "74HC00", "sku": "74xx/74HC00", "description": "two\nlines", "unit_cost": "0.250", "currency": "EUR",
            "custom_fields": {"pins": 14, "rohs": true, "package": "SOIC-14"}, "tags": ["logic", "cmos"],
        }));
        let mut fields = Draft::of(&before).fields();
        for (_, value) in &mut fields {
            *value = value.replace('\n', "\r\n");
        }
        let patch = Draft::read(&FormData(fields)).patch(&before.custom_fields).unwrap();
        assert_eq!(before.patched(patch, OffsetDateTime::UNIX_EPOCH, Actor::cli()).unwrap(), None);
    }

    #[test]
    fn a_custom_field_that_is_no_longer_there_is_removed() {
        let before = component(json!({"name": "a", "custom_fields": {"pins": 14, "rohs": true}}));
        let mut draft = Draft::of(&before);
        draft.customs.retain(|custom| custom.name != "rohs");
        let patch = draft.patch(&before.custom_fields).unwrap();
        let (after, _) = before.patched(patch, OffsetDateTime::UNIX_EPOCH, Actor::cli()).unwrap().unwrap();
        assert_eq!(serde_json::to_value(after.custom_fields).unwrap(), json!({"pins": 14}));
    }

    #[test]
    fn every_wrong_field_is_told_of() {
        let mut draft = Draft::empty();
        draft.set(Field::Name, String::new());
        draft.set(Field::UnitCost, "cheap".to_owned());
        draft.customs.push(Custom { name: "pins".into(), kind: CustomKind::Number, value: "many".into() });
        let ValidationErrors(errors) = draft.create().unwrap_err();
        assert_eq!(error_of(&errors, Field::Name).as_deref(), Some("must not be empty"));
        assert!(error_of(&errors, Field::UnitCost).unwrap().starts_with("must be a decimal"));
        assert_eq!(
            error_of(&errors, Field::CustomFields).as_deref(),
            Some("pins must be a number, such as 14 or 0.5")
        );
    }
}
