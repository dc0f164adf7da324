//! Values that are always valid: they are checked once, when they are constructed.
//!
//! Each text value is declared once with its pattern and its length. The check and the OpenAPI schema are
//! both made from that declaration, so the document cannot promise what the service refuses.

use std::{borrow::Cow, fmt, str::FromStr, sync::LazyLock};

use regex::Regex;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr,
        schema::{Schema, Type},
    },
};

use super::{
    field_value::{FieldKind, FieldValue, FromJson, ValueError, expected, replaced_by_patch},
    text_schema::text_schema,
};

/// One line, no control characters, not blank, no space at either end.
const LINE: &str =
    r"^[^\u0000-\u0020\u007f-\u00a0]([^\u0000-\u001f\u007f-\u009f]*[^\u0000-\u0020\u007f-\u00a0])?$";
const LINE_RULE: &str =
    "must be one line of text without control characters and without a space at either end";
/// Any text whose only control characters are tab, line feed and carriage return.
const LINES: &str = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$";
const LINES_RULE: &str = "must not hold control characters other than tabs and line ends";

/// Declares a text value: a newtype that only holds what its pattern and its length allow. A component that is
/// created without a field of the type has `default` in it; without a default the field is required, unless it is an
/// `Option`.
macro_rules! text_value {
    (@kind) => {
        FieldKind::Line
    };
    (@kind $kind:ident) => {
        FieldKind::$kind
    };
    (@unset) => {
        None
    };
    (@unset $default:literal) => {
        Some(Self($default.to_owned()))
    };
    ($(#[$doc:meta])* $name:ident, chars: $min:literal..=$max:literal, pattern: $pattern:expr, rule: $rule:expr, example: $example:literal $(, default: $default:literal)? $(, kind: $kind:ident)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The shortest and the longest that it may be, in characters (Unicode scalar values).
            pub const CHARS: std::ops::RangeInclusive<usize> = $min..=$max;
            /// The regular expression (ECMA 262 and Rust alike) that it matches.
            pub const PATTERN: &str = $pattern;

            /// A value as the database holds it. It was checked when it was written, by this type or by the
            /// schema's own constraints, so it is not checked again.
            pub fn stored(text: String) -> Self {
                Self(text)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            fn check(text: &str) -> Result<(), ValueError> {
                static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($pattern).ok());
                let chars = text.chars().count();
                if !Self::CHARS.contains(&chars) {
                    return Err(ValueError(if chars == 0 {
                        "must not be empty".into()
                    } else {
                        format!("must be at most {} characters long, and this has {chars}", $max).into()
                    }));
                }
                if PATTERN.as_ref().is_some_and(|pattern| pattern.is_match(text)) {
                    Ok(())
                } else {
                    Err(ValueError($rule.into()))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = ValueError;

            fn try_from(text: String) -> Result<Self, ValueError> {
                Self::check(&text)?;
                Ok(Self(text))
            }
        }

        impl FromStr for $name {
            type Err = ValueError;

            fn from_str(text: &str) -> Result<Self, ValueError> {
                Self::try_from(text.to_owned())
            }
        }

        // As it is: `into = "String"` would copy it first.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromJson for $name {
            fn from_json(value: Value) -> Result<Self, ValueError> {
                match value {
                    Value::String(text) => text.try_into(),
                    other => Err(expected("a string", &other)),
                }
            }
        }

        $(impl Default for $name {
            fn default() -> Self {
                Self($default.to_owned())
            }
        })?

        impl FieldValue for $name {
            type Column = String;

            replaced_by_patch! { kind: text_value!(@kind $($kind)?), unset: text_value!(@unset $($default)?) }

            fn as_text(&self) -> Option<Cow<'_, str>> {
                Some(Cow::Borrowed(&self.0))
            }

            fn to_column(&self) -> String {
                self.0.clone()
            }

            fn from_column(column: String) -> Result<Self, ValueError> {
                Ok(Self(column))
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                text_schema($pattern, Self::CHARS, $example)
            }
        }

        impl utoipa::ToSchema for $name {}
    };
}

text_value! {
    /// Stock-keeping unit: the organisation's own unique name of a component.
    Sku, chars: 1..=100, pattern: LINE, rule: LINE_RULE, example: "74xx/74HC00"
}
text_value! {
    /// What a component is called.
    Name, chars: 1..=200, pattern: LINE, rule: LINE_RULE, example: "74HC00"
}
text_value! {
    /// What a component is, in a sentence or a few.
    Description, chars: 0..=2000, pattern: LINES, rule: LINES_RULE, example: "Quad 2-input NAND gate", default: "", kind: Lines
}
text_value! {
    /// Free notes.
    Notes, chars: 0..=10000, pattern: LINES, rule: LINES_RULE, example: "", default: "", kind: Lines
}
text_value! {
    /// Who makes the component.
    Manufacturer, chars: 1..=200, pattern: LINE, rule: LINE_RULE, example: "Nexperia"
}
text_value! {
    /// Manufacturer part number.
    Mpn, chars: 1..=100, pattern: LINE, rule: LINE_RULE, example: "74HC00D,653"
}
text_value! {
    /// The unit in which the component is counted.
    Unit, chars: 1..=32, pattern: LINE, rule: LINE_RULE, example: "pcs", default: "pcs"
}
text_value! {
    /// The content of the component's barcode or QR code.
    Barcode, chars: 1..=128, pattern: LINE, rule: LINE_RULE, example: "4006381333931"
}
text_value! {
    /// A currency code of ISO 4217: three capital letters.
    Currency, chars: 3..=3, pattern: "^[A-Z]{3}$", rule: "must be three capital letters such as EUR (ISO 4217)", example: "EUR"
}
text_value! {
    /// Where the data sheet is: an absolute `http` or `https` URL (RFC 3986), without spaces.
    DatasheetUrl, chars: 9..=2000, pattern: r#"^https?://[A-Za-z0-9\[][^\u0000-\u0020"<>\\^`{|}\u007f-\u009f]*$"#,
    rule: "must be an absolute URL that starts with http:// or https://", example: "https://assets.nexperia.com/documents/data-sheet/74HC_HCT00.pdf"
}
text_value! {
    /// A label by which components are grouped.
    Tag, chars: 1..=64, pattern: r#"^[^\u0000-\u0020",\\\u007f-\u00a0]([^\u0000-\u001f",\\\u007f-\u009f]*[^\u0000-\u0020",\\\u007f-\u00a0])?$"#,
    rule: "must be one line of text without commas, quotes and backslashes and without a space at either end", example: "logic"
}
text_value! {
    /// What a user signs in with: a name or a mail address in lower case.
    UserName, chars: 1..=64, pattern: "^[a-z0-9]([a-z0-9._@+-]*[a-z0-9])?$",
    rule: "must be lower-case letters, digits and the characters . _ @ + -, with a letter or a digit at either end", example: "anna"
}
text_value! {
    /// The name of a custom field.
    CustomFieldName, chars: 1..=63, pattern: "^[a-z][a-z0-9_]*$",
    rule: "must be lower-case letters, digits and underscores, with a letter first", example: "footprint"
}
text_value! {
    /// The text in a custom field.
    CustomFieldText, chars: 0..=2000, pattern: LINES, rule: LINES_RULE, example: "SOIC-14"
}

/// A decimal that is not negative, with at most 12 digits before the point and 6 after it. Its JSON form is
/// a string, since JSON numbers are read as binary floats by many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct Amount {
    micros: i64,
}

impl Amount {
    /// The regular expression that its text matches.
    pub const PATTERN: &str = r"^(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?$";
    const SCALE: u32 = 6;

    /// From millionths, as the database holds it.
    pub fn from_micros(micros: i64) -> Self {
        Self { micros }
    }

    /// In millionths: at most 18 digits, so it fits.
    pub fn micros(self) -> i64 {
        self.micros
    }
}

impl FromStr for Amount {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        static PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(Amount::PATTERN).ok());
        const RULE: ValueError = ValueError(Cow::Borrowed(
            "must be a decimal that is not negative, with at most 12 digits before the point and 6 after it",
        ));
        if !PATTERN.as_ref().is_some_and(|pattern| pattern.is_match(text)) {
            return Err(RULE);
        }
        let mut decimal = Decimal::from_str(text).map_err(|_| RULE)?;
        decimal.rescale(Self::SCALE);
        let micros = i64::try_from(decimal.mantissa()).map_err(|_| RULE)?;
        Ok(Self { micros })
    }
}

impl TryFrom<String> for Amount {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.micros == 0 {
            // What most minimum quantities are.
            return serializer.serialize_str("0");
        }
        serializer.collect_str(self)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Decimal::new(self.micros, Self::SCALE).normalize().fmt(f)
    }
}

impl FromJson for Amount {
    fn from_json(value: Value) -> Result<Self, ValueError> {
        match value {
            Value::String(text) => text.parse(),
            other => Err(expected("a decimal in a string, such as \"0.25\"", &other)),
        }
    }
}

impl FieldValue for Amount {
    type Column = i64;

    replaced_by_patch! { kind: FieldKind::Amount, unset: Some(Self::default()) }

    fn as_text(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Owned(self.to_string()))
    }

    fn to_column(&self) -> i64 {
        self.micros
    }

    fn from_column(micros: i64) -> Result<Self, ValueError> {
        Ok(Self { micros })
    }
}

impl PartialSchema for Amount {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(Amount::PATTERN))
            .examples([serde_json::Value::from("0.25")])
            .into()
    }
}

impl ToSchema for Amount {}

/// Whether a component is in use.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// In use.
    #[default]
    Active,
    /// Kept for its history only.
    Archived,
}

impl Status {
    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Archived => "archived",
        }
    }
}

impl FromStr for Status {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text {
            "active" => Ok(Self::Active),
            "archived" => Ok(Self::Archived),
            _ => Err(ValueError("must be \"active\" or \"archived\"".into())),
        }
    }
}

impl FromJson for Status {
    fn from_json(value: Value) -> Result<Self, ValueError> {
        match value {
            Value::String(text) => text.parse(),
            other => Err(expected("\"active\" or \"archived\"", &other)),
        }
    }
}

impl FieldValue for Status {
    type Column = String;

    replaced_by_patch! { kind: FieldKind::Line, unset: Some(Self::default()) }

    fn as_text(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.as_str()))
    }

    fn to_column(&self) -> String {
        self.as_str().to_owned()
    }

    fn from_column(column: String) -> Result<Self, ValueError> {
        column.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_checked_by_their_own_pattern() {
        assert_eq!("74HC00".parse::<Sku>().unwrap().as_str(), "74HC00");
        assert_eq!("Ω-Meter µ".parse::<Name>().unwrap().as_str(), "Ω-Meter µ");
        for bad in ["", " a", "a ", "a\nb", "a\0b", "\u{7f}"] {
            assert!(bad.parse::<Sku>().is_err(), "{bad:?} was taken for an sku");
        }
        assert!("x".repeat(100).parse::<Sku>().is_ok());
        assert_eq!(
            "x".repeat(101).parse::<Sku>().unwrap_err().to_string(),
            "must be at most 100 characters long, and this has 101"
        );
        assert!("a\tb\r\nc".parse::<Notes>().is_ok());
        assert!("a\u{8}".parse::<Notes>().is_err());
        assert!("javascript:alert(1)".parse::<DatasheetUrl>().is_err());
        assert!("http://[::1]/a?b#c".parse::<DatasheetUrl>().is_ok());
        assert!("eur".parse::<Currency>().is_err());
    }

    #[test]
    fn every_pattern_compiles_and_takes_its_example() {
        // A pattern that did not compile would refuse everything.
        assert!("logic".parse::<Tag>().is_ok());
        assert!("footprint".parse::<CustomFieldName>().is_ok());
        assert!("EUR".parse::<Currency>().is_ok());
        assert!("https://example.org/74HC00.pdf".parse::<DatasheetUrl>().is_ok());
        assert!(Description::default().as_str().parse::<Description>().is_ok());
    }

    #[test]
    fn amounts_are_exact() {
        for (text, micros, shown) in [
            ("0", 0, "0"),
            ("0.250", 250_000, "0.25"),
            ("999999999999.999999", 999_999_999_999_999_999, "999999999999.999999"),
            ("12", 12_000_000, "12"),
        ] {
            let amount: Amount = text.parse().unwrap();
            assert_eq!(amount.micros(), micros);
            assert_eq!(amount.to_string(), shown);
        }
        for bad in ["", "-1", "1e3", "01", ".5", "1.", "0.0000001", "1000000000000", "NaN"] {
            assert!(bad.parse::<Amount>().is_err(), "{bad:?} was taken for an amount");
        }
    }
}
