//! From the body of a batch to its operations.
//!
//! Each operation becomes its type as soon as it is read, so that the JSON of one operation at most is in memory as
//! values. Reading stops where the answer is certain: at one operation too many, at one that is larger than any can be,
//! and at the last of the errors that are collected.

use std::{collections::BTreeSet, fmt};

use inventory_core::{ComponentId, ComponentPatch, NewComponent};
use inventory_http::{ErrorItem, Problem};
use inventory_store::{ComponentOperation, VersionPrecondition};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::batch_schema::{MAX_OPERATIONS, Verb};
use crate::{
    body::BodyLease,
    json::{self, Allowance, Name, Strict},
};

/// The memory that the values of one operation may take, in bytes. No operation that can be carried out takes half of it.
const MAX_OPERATION_BYTES: usize = 2 * 1024 * 1024;
/// The memory that all operations together may take, in bytes, roughly: some 900,000 members.
const MAX_OPERATIONS_BYTES: usize = 96 * 1024 * 1024;
/// How many errors are collected. What comes after the last is not read.
const MAX_COLLECTED_ERRORS: usize = 1000;

/// The member that holds the operations.
const OPERATIONS: &str = "operations";

/// Reads the operations of a body, and reports what is wrong with them.
pub(super) fn read(body: &[u8], lease: &mut BodyLease) -> Result<Vec<ComponentOperation>, Problem> {
    let mut reading = Reading::new(lease);
    let beside = Allowance::new(MAX_OPERATION_BYTES);
    let start = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let read = match start {
        Some(b'{') => json::read_with(body, Whole { reading: &mut reading, beside: &beside })?,
        _ => json::read_with(body, Strict(&beside))?
            .map(|_not_an_object| reading.whole("", "must be an object")),
    };
    match read {
        Ok(()) => {}
        Err(_) if beside.is_exceeded() => reading.whole("", "has too many members beside \"operations\""),
        Err(_) if reading.stopped => {}
        Err(error) if reading.awaits_array && error.is_data() => {
            reading.whole("/operations", "must be an array");
        }
        Err(error) => return Err(json::malformed(error)),
    }
    reading.finish()
}

/// What was read so far.
struct Reading<'a> {
    /// The memory that the operations may take together.
    lease: &'a mut BodyLease,
    /// How much they take, in bytes, roughly.
    bytes: usize,
    /// That there is no more of it.
    busy: Option<Problem>,
    operations: Vec<ComponentOperation>,
    /// What is wrong with single operations.
    errors: Vec<ErrorItem>,
    /// What is wrong with the body as a whole.
    whole: Vec<ErrorItem>,
    /// Whether the value of [`OPERATIONS`] comes next.
    awaits_array: bool,
    /// Whether the rest need not be read.
    stopped: bool,
}

impl<'a> Reading<'a> {
    fn new(lease: &'a mut BodyLease) -> Self {
        Self {
            lease,
            bytes: 0,
            busy: None,
            operations: Vec::new(),
            errors: Vec::new(),
            whole: Vec::new(),
            awaits_array: false,
            stopped: false,
        }
    }

    fn whole(&mut self, pointer: &str, detail: impl Into<String>) {
        self.whole.push(ErrorItem::member(pointer, detail));
    }

    /// Takes the operation at an index. `bytes` is the memory that its value occupies.
    fn take(&mut self, index: usize, value: Value, bytes: usize) {
        if index == MAX_OPERATIONS {
            self.whole("/operations", format!("must have at most {MAX_OPERATIONS} operations"));
            self.stopped = true;
            return;
        }
        match operation(format!("/operations/{index}"), value) {
            Ok(operation) if self.errors.is_empty() => {
                self.operations.push(operation);
                self.bytes += bytes;
                if self.bytes > MAX_OPERATIONS_BYTES {
                    let detail = "have more values than a batch may have: send several smaller batches";
                    self.whole("/operations", detail);
                    self.stopped = true;
                }
                self.busy = self.lease.cover(self.bytes).err();
                self.stopped |= self.busy.is_some();
            }
            Ok(_) => {}
            Err(errors) => {
                // None is carried out.
                self.operations = Vec::new();
                self.errors.extend(errors);
                self.stopped = self.errors.len() >= MAX_COLLECTED_ERRORS;
            }
        }
    }

    fn finish(self) -> Result<Vec<ComponentOperation>, Problem> {
        let Self { operations, errors, whole: mut all, busy, .. } = self;
        if let Some(busy) = busy {
            return Err(busy);
        }
        all.extend(errors);
        all.truncate(MAX_COLLECTED_ERRORS);
        if all.is_empty() { Ok(operations) } else { Err(Problem::invalid(all)) }
    }
}

/// The whole body.
struct Whole<'a, 'b> {
    reading: &'a mut Reading<'b>,
    /// For the members beside the operations.
    beside: &'a Allowance,
}

impl<'de> DeserializeSeed<'de> for Whole<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Whole<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self { reading, beside } = self;
        let mut names = BTreeSet::new();
        while let Some(name) = members.next_key_seed(Name(beside))? {
            if names.contains(&name) {
                return Err(A::Error::custom(format_args!("the member {name:?} appears twice")));
            }
            if name == OPERATIONS {
                members.next_value_seed(Operations(reading))?;
            } else {
                members.next_value_seed(Strict(beside))?;
            }
            names.insert(name);
        }
        if !names.remove(OPERATIONS) {
            reading.whole("/operations", "is required");
        }
        reading.whole.extend(names.iter().map(|name| unknown("", name)));
        Ok(())
    }
}

/// The array of operations.
struct Operations<'a, 'b>(&'a mut Reading<'b>);

impl<'de> DeserializeSeed<'de> for Operations<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.awaits_array = true;
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Operations<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self(reading) = self;
        reading.awaits_array = false;
        for index in 0.. {
            let allowance = Allowance::new(MAX_OPERATION_BYTES);
            match items.next_element_seed(Strict(&allowance)) {
                Ok(Some(value)) => reading.take(index, value, allowance.used()),
                Ok(None) => {
                    if index == 0 {
                        reading.whole("/operations", "must have at least one operation");
                    }
                    return Ok(());
                }
                Err(error) if allowance.is_exceeded() => {
                    let detail = "is too large for an operation";
                    reading.errors.push(ErrorItem::member(format!("/operations/{index}"), detail));
                    reading.stopped = true;
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
            if reading.stopped {
                return Err(A::Error::custom("the rest need not be read"));
            }
        }
        // Not reached: there are as many indices as it takes.
        Ok(())
    }
}

/// A member that its object does not have.
fn unknown(pointer: &str, name: &str) -> ErrorItem {
    // RFC 6901 escapes these two characters.
    let name = name.replace('~', "~0").replace('/', "~1");
    ErrorItem::member(format!("{pointer}/{name}"), "is not a member of this object")
}

fn operation(pointer: String, value: Value) -> Result<ComponentOperation, Vec<ErrorItem>> {
    let mut members = Object::of(pointer, value).map_err(|error| vec![error])?;
    let verb = members.take("op", |value| match value.as_str() {
        Some("create") => Ok(Verb::Create),
        Some("update") => Ok(Verb::Update),
        Some("delete") => Ok(Verb::Delete),
        _ => Err("must be \"create\", \"update\" or \"delete\"".to_owned()),
    });
    let operation = match verb {
        // Without knowing what is asked, nothing more can be said.
        None => return Err(members.errors),
        Some(Verb::Create) => {
            let new = members.take_object("component", NewComponent::from_json);
            new.map(|new| ComponentOperation::Create(Box::new(new)))
        }
        Some(Verb::Update) => {
            let (id, expected) = (members.take("id", |value| id(&value)), members.take("version", version));
            let patch = members.take_object("patch", ComponentPatch::from_json);
            match (id, expected, patch) {
                (Some(id), Some(expected), Some(patch)) => {
                    Some(ComponentOperation::Update { id, expected, patch: Box::new(patch) })
                }
                _ => None,
            }
        }
        Some(Verb::Delete) => {
            match (members.take("id", |value| id(&value)), members.take("version", version)) {
                (Some(id), Some(expected)) => Some(ComponentOperation::Delete { id, expected }),
                _ => None,
            }
        }
    };
    let errors = members.finish();
    operation.filter(|_| errors.is_empty()).ok_or(errors)
}

fn id(value: &Value) -> Result<ComponentId, String> {
    let text = value.as_str().filter(|text| text.len() == uuid::fmt::Hyphenated::LENGTH);
    text.and_then(|text| text.parse().ok()).map(ComponentId).ok_or_else(|| "must be a UUID".to_owned())
}

fn version(value: Value) -> Result<VersionPrecondition, String> {
    match value {
        Value::String(any) if any == "*" => Ok(VersionPrecondition::Any),
        Value::Number(number) => match integer(&number) {
            Some(version @ 1..) => Ok(VersionPrecondition::version(version)),
            _ => Err("must be a positive integer".to_owned()),
        },
        _ => Err("must be the version that the change is made from, or \"*\" for any".to_owned()),
    }
}

/// A number without a fraction: to JSON Schema, 1.0 is an integer too (2020-12, core §4.2.1).
fn integer(number: &Number) -> Option<u64> {
    let whole = || number.as_f64().filter(|number| number.fract() == 0.0);
    number.as_u64().or_else(|| format!("{:.0}", whole()?).parse().ok())
}

/// The members of an object, taken one by one; what is left at the end is not known.
struct Object {
    pointer: String,
    members: Map<String, Value>,
    errors: Vec<ErrorItem>,
}

impl Object {
    fn of(pointer: String, value: Value) -> Result<Self, ErrorItem> {
        match value {
            Value::Object(members) => Ok(Self { pointer, members, errors: Vec::new() }),
            _ => Err(ErrorItem::member(pointer, "must be an object")),
        }
    }

    fn take<T>(&mut self, name: &str, read: impl FnOnce(Value) -> Result<T, String>) -> Option<T> {
        let value = match self.members.remove(name) {
            Some(value) => read(value),
            None => Err("is required".to_owned()),
        };
        let pointer = &self.pointer;
        value.map_err(|detail| self.errors.push(ErrorItem::member(format!("{pointer}/{name}"), detail))).ok()
    }

    /// Reads a member that is an object, and reports the errors within it.
    fn take_object<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Value) -> Result<T, inventory_core::ValidationErrors>,
    ) -> Option<T> {
        let value = self.take(name, Ok)?;
        let pointer = &self.pointer;
        let item = |error: inventory_core::FieldError| {
            ErrorItem::member(format!("{pointer}/{name}{}", error.pointer), error.detail)
        };
        read(value).map_err(|invalid| self.errors.extend(invalid.0.into_iter().map(item))).ok()
    }

    fn finish(mut self) -> Vec<ErrorItem> {
        let Self { pointer, members, errors } = &mut self;
        errors.extend(members.keys().map(|name| unknown(pointer, name)));
        self.errors
    }
}
