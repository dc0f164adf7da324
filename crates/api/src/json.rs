//! JSON as clients send it, read strictly: a member that is named twice is an error, not a choice.

use std::{cell::Cell, fmt};

use inventory_http::{Problem, ProblemType};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads a body. It may nest 127 levels deep, which is the limit of `serde_json`.
pub(crate) fn read(body: &[u8]) -> Result<Value, Problem> {
    read_with(body, Strict(&Allowance::new(usize::MAX)))?.map_err(malformed)
}

/// Reads a body with a seed. What is not UTF-8 is a problem at once.
pub(crate) fn read_with<'de, S: DeserializeSeed<'de>>(
    body: &'de [u8],
    seed: S,
) -> Result<Result<S::Value, serde_json::Error>, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Problem::new(
            ProblemType::MalformedBody,
            format!("the body is not UTF-8: byte {} is not part of a character", error.valid_up_to()),
        )
    })?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Ok(seed.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value)))
}

/// A body that is not JSON.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` passes it by value")]
pub(crate) fn malformed(error: serde_json::Error) -> Problem {
    Problem::new(ProblemType::MalformedBody, format!("the body is not JSON: {error}"))
}

/// Bytes of memory that a value takes beside its text, roughly.
const VALUE_BYTES: usize = 48;

/// The memory that values may take, in bytes. A few bytes of JSON can be a value of many.
pub(crate) struct Allowance {
    most: usize,
    used: Cell<usize>,
}

impl Allowance {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { most: bytes, used: Cell::new(0) }
    }

    /// How much of it was used.
    pub(crate) fn used(&self) -> usize {
        self.used.get()
    }

    /// Whether it was not enough.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.used() > self.most
    }

    /// Reserves the memory of a value with `text` bytes of text.
    fn take<E: Error>(&self, text: usize) -> Result<(), E> {
        self.used.set(self.used().saturating_add(text).saturating_add(VALUE_BYTES));
        if self.is_exceeded() { Err(E::custom("the limit is exceeded")) } else { Ok(()) }
    }
}

/// Reads a value, within an allowance.
#[derive(Clone, Copy)]
pub(crate) struct Strict<'a>(pub(crate) &'a Allowance);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.0.take(value.len())?;
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            self.0.take(0)?;
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key_seed(Name(self.0))? {
            // Which of the two counts is not defined (RFC 8259 §4), so neither does.
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!("the member {name:?} appears twice")));
            }
            let value = members.next_value_seed(self)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

/// Reads the name of a member, within an allowance.
pub(crate) struct Name<'a>(pub(crate) &'a Allowance);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<String, E> {
        self.0.take(name.len())?;
        Ok(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_serde_json_reads_is_read_alike() {
        let text = r#"{"a": [1, -2, 3.5, 1e300, true, null, "x\u00e9\n"], "b": {"c": {}}, "": 18446744073709551615}"#;
        assert_eq!(read(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(read(b"[]").unwrap(), json!([]));
    }

    #[test]
    fn every_fault_is_told_with_its_place() {
        let deep = [vec![b'['; 200], vec![b']'; 200]].concat();
        for (body, detail) in [
            (&b""[..], "the body is not JSON: EOF while parsing a value at line 1 column 0"),
            (b"{\"a\":1}x", "the body is not JSON: trailing characters at line 1 column 8"),
            (
                b"{\"a\":1,\n\"a\":2}",
                "the body is not JSON: the member \"a\" appears twice at line 2 column 3",
            ),
            (b"{\"a\": \"\xff\"}", "the body is not UTF-8: byte 7 is not part of a character"),
            (
                b"{\"a\": \"\0\"}",
                "the body is not JSON: control character (\\u0000-\\u001F) found while parsing a string at line 1 column 8",
            ),
            (b"1e999", "the body is not JSON: number out of range at line 1 column 5"),
            (&deep, "the body is not JSON: recursion limit exceeded at line 1 column 128"),
        ] {
            let problem = read(body).unwrap_err();
            assert_eq!(problem.detail(), detail);
        }
    }
}
