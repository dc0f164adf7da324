//! JSON as clients send it, read strictly: a member that is named twice is an error, not a choice.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::{kind::Kind, problem::Problem};

/// Reads a body. It may nest 127 levels deep, which is the limit of `serde_json`.
pub(crate) fn read(body: &[u8]) -> Result<Value, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Problem::new(
            Kind::MalformedBody,
            format!("the body is not UTF-8: byte {} is not part of a character", error.valid_up_to()),
        )
    })?;
    match serde_json::from_str::<Strict>(text) {
        Ok(Strict(value)) => Ok(value),
        Err(error) => Err(Problem::new(Kind::MalformedBody, format!("the body is not JSON: {error}"))),
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
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

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            // Which of the two counts is not defined (RFC 8259 §4), so neither does.
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!("the member {name:?} is there twice")));
            }
            let Strict(value) = members.next_value()?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
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
                "the body is not JSON: the member \"a\" is there twice at line 2 column 3",
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
