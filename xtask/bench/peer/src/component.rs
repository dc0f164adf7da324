//! A component in a row and in JSON.

use serde::{Deserialize, Serialize, Serializer, ser::Error as _};
use serde_json::value::RawValue;
use sqlx::{FromRow, Row, postgres::PgRow, sqlite::SqliteRow};
use time::OffsetDateTime;
use uuid::Uuid;

/// The JSON of the service, made from the row without a step between.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the names are those of the service's component")]
pub struct Component {
    pub id: Uuid,
    pub sku: Option<String>,
    pub name: String,
    pub description: String,
    pub notes: String,
    pub manufacturer: Option<String>,
    pub mpn: Option<String>,
    pub barcode: Option<String>,
    pub unit: String,
    #[serde(serialize_with = "amount")]
    pub min_quantity: i64,
    #[serde(serialize_with = "optional_amount")]
    pub unit_cost: Option<i64>,
    pub currency: Option<String>,
    pub datasheet_url: Option<String>,
    #[serde(serialize_with = "raw")]
    pub tags: String,
    #[serde(serialize_with = "raw")]
    pub custom_fields: String,
    pub status: String,
    #[serde(serialize_with = "moment")]
    pub created_at: i64,
    pub created_by: String,
    #[serde(serialize_with = "moment")]
    pub updated_at: i64,
    pub updated_by: String,
    pub version: i64,
}

impl Component {
    /// A new component, as its row and its answer will be.
    pub fn new(new: NewComponent) -> Self {
        let NewComponent { sku, name, description, manufacturer, mpn, tags } = new;
        let now = OffsetDateTime::now_utc();
        let micros = i64::try_from(now.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX);
        let actor = "token:peer".to_owned();
        Self {
            id: Uuid::now_v7(),
            sku,
            name,
            description,
            notes: String::new(),
            manufacturer,
            mpn,
            barcode: None,
            unit: "pcs".to_owned(),
            min_quantity: 0,
            unit_cost: None,
            currency: None,
            datasheet_url: None,
            tags: serde_json::to_string(&tags).unwrap_or_default(),
            custom_fields: "{}".to_owned(),
            status: "active".to_owned(),
            created_at: micros,
            created_by: actor.clone(),
            updated_at: micros,
            updated_by: actor,
            version: 1,
        }
    }
}

macro_rules! from_row {
    ($row:ty) => {
        impl FromRow<'_, $row> for Component {
            fn from_row(row: &$row) -> sqlx::Result<Self> {
                Ok(Self {
                    id: row.try_get(0)?,
                    sku: row.try_get(1)?,
                    name: row.try_get(2)?,
                    description: row.try_get(3)?,
                    notes: row.try_get(4)?,
                    manufacturer: row.try_get(5)?,
                    mpn: row.try_get(6)?,
                    barcode: row.try_get(7)?,
                    unit: row.try_get(8)?,
                    min_quantity: row.try_get(9)?,
                    unit_cost: row.try_get(10)?,
                    currency: row.try_get(11)?,
                    datasheet_url: row.try_get(12)?,
                    tags: row.try_get(13)?,
                    custom_fields: row.try_get(14)?,
                    status: row.try_get(15)?,
                    created_at: row.try_get(16)?,
                    created_by: row.try_get(17)?,
                    updated_at: row.try_get(18)?,
                    updated_by: row.try_get(19)?,
                    version: row.try_get(20)?,
                })
            }
        }
    };
}
from_row!(SqliteRow);
from_row!(PgRow);

/// What a component is made from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the names are those of the service's component")]
pub struct NewComponent {
    pub sku: Option<String>,
    pub name: String,
    #[serde(default)]
    pub description: String,
    pub manufacturer: Option<String>,
    pub mpn: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
}

impl NewComponent {
    /// The least that a service checks.
    pub fn is_valid(&self) -> bool {
        !self.name.is_empty() && self.name.len() <= 200
    }
}

/// A page.
#[derive(Debug, Serialize)]
pub struct Listing {
    /// The components.
    pub items: Vec<Component>,
    /// What to ask for next.
    pub next_cursor: Option<Uuid>,
}

/// The body of a batch.
#[derive(Debug, Deserialize)]
pub struct Batch {
    /// What to do.
    pub operations: Vec<BatchOperation>,
}

/// One operation of a batch.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum BatchOperation {
    /// Make a component.
    Create {
        /// Of this.
        component: NewComponent,
    },
}

/// The answer to a batch.
#[derive(Debug, Serialize)]
pub struct BatchResults {
    /// One an operation.
    pub results: Vec<BatchResult>,
}

/// The answer to an operation.
#[derive(Debug, Serialize)]
pub struct BatchResult {
    /// What was asked.
    pub op: &'static str,
    /// What was done.
    pub status: &'static str,
    /// What there is now.
    pub component: Component,
}

/// Millionths as a decimal in a string.
fn amount<S: Serializer>(millionths: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    let (whole, fraction) = (millionths / 1_000_000, millionths % 1_000_000);
    if fraction == 0 {
        serializer.collect_str(&whole)
    } else {
        let fraction = format!("{fraction:06}");
        serializer.collect_str(&format_args!("{whole}.{}", fraction.trim_end_matches('0')))
    }
}

fn optional_amount<S: Serializer>(millionths: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    match millionths {
        Some(millionths) => amount(millionths, serializer),
        None => serializer.serialize_none(),
    }
}

/// JSON that is kept as text goes out as it is.
fn raw<S: Serializer>(json: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serde_json::from_str::<&RawValue>(json).map_err(S::Error::custom)?.serialize(serializer)
}

fn moment<S: Serializer>(micros: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(*micros) * 1000);
    time::serde::rfc3339::serialize(&moment.map_err(S::Error::custom)?, serializer)
}
