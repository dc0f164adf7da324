//! Questions about components: filters, order, and the place of a page.

use std::cmp::Ordering;

use inventory_core::{Amount, ComponentId, Field, FieldKind, FieldValue, Seq, component_fields};

use crate::{component::search::Search, entity::component::COLUMNS};

macro_rules! declare {
    ($($(#[$attribute:meta])+ $member:ident: $Variant:ident($type:ty => $column:ty), $patch_doc:literal;)+) => {
        /// A column of a component. Lists can be filtered by most columns and sorted by some.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each is the field of Component of the same name")]
        pub enum Column {
            Id,
            $($Variant,)+
            CreatedAt,
            CreatedBy,
            UpdatedAt,
            UpdatedBy,
            Version,
        }

        impl Column {
            /// All of them, in the order of the members of a component.
            pub const ALL: [Self; COLUMNS.len()] = [
                Self::Id,
                $(Self::$Variant,)+
                Self::CreatedAt,
                Self::CreatedBy,
                Self::UpdatedAt,
                Self::UpdatedBy,
                Self::Version,
            ];

            /// The name on the wire and in the database.
            pub fn as_str(self) -> &'static str {
                match self {
                    Self::Id => "id",
                    $(Self::$Variant => stringify!($member),)+
                    Self::CreatedAt => "created_at",
                    Self::CreatedBy => "created_by",
                    Self::UpdatedAt => "updated_at",
                    Self::UpdatedBy => "updated_by",
                    Self::Version => "version",
                }
            }

            /// The field that it holds, if users may set it.
            pub fn field(self) -> Option<Field> {
                match self {
                    $(Self::$Variant => Some(Field::$Variant),)+
                    _ => None,
                }
            }

            /// What it holds.
            pub fn column_type(self) -> ColumnType {
                match self {
                    Self::Id => ColumnType::Id,
                    $(Self::$Variant => <$type>::KIND.into(),)+
                    Self::CreatedAt | Self::UpdatedAt => ColumnType::Time,
                    Self::CreatedBy | Self::UpdatedBy => ColumnType::Text,
                    Self::Version => ColumnType::Integer,
                }
            }

            /// Whether a component may have nothing in it.
            pub fn nullable(self) -> bool {
                match self {
                    $(Self::$Variant => <$type>::NULLABLE,)+
                    _ => false,
                }
            }
        }

        impl From<Field> for Column {
            fn from(field: Field) -> Self {
                match field {
                    $(Field::$Variant => Self::$Variant,)+
                }
            }
        }
    };
}

component_fields!(declare);

/// What a column holds, which decides how a filter's text is read and which operators it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ColumnType {
    Id,
    Text,
    Amount,
    Time,
    Integer,
    Tags,
    CustomFields,
}

impl From<FieldKind> for ColumnType {
    fn from(kind: FieldKind) -> Self {
        match kind {
            FieldKind::Line | FieldKind::Lines => Self::Text,
            FieldKind::Amount => Self::Amount,
            FieldKind::Tags => Self::Tags,
            FieldKind::CustomFields => Self::CustomFields,
        }
    }
}

/// How a filter compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `field=value`: equal; for tags, has this tag.
    Equal,
    /// `field__in=a,b`: equal to one of these; for tags, has one of them.
    In,
    /// `field__gte=value`: at least.
    AtLeast,
    /// `field__lte=value`: at most.
    AtMost,
    /// `field__contains=text`: contains this text, whatever the case of ASCII letters.
    Contains,
    /// `field__isnull=true`: is absent.
    IsNull,
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Operand {
    Id(ComponentId),
    Text(String),
    Integer(i64),
    Boolean(bool),
}

/// One condition. All conditions of a query must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    pub(crate) column: Column,
    pub(crate) operator: Operator,
    /// One, but for [`Operator::In`].
    pub(crate) operands: Vec<Operand>,
}

/// The order of a list. Components that are equal in it follow their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// The column, which must be [`Column::sortable`].
    pub column: Column,
    /// From the greatest to the least.
    pub descending: bool,
}

/// The place of a component in a [`Sort`]: what a cursor holds.
#[derive(Debug, Clone, PartialEq)]
pub struct PageCursor {
    /// Its value in the sorted column. Absent values count as the least.
    pub key: Key,
    /// Its id.
    pub id: ComponentId,
    /// The last event when the first page of the walk was read. For the rest of the walk each component has the
    /// place that it had then, wherever changes moved it since, so that each is met exactly once.
    pub since: Seq,
}

impl PageCursor {
    /// Whether it can be a place in a list sorted by this column. A client may send any.
    pub fn fits(&self, column: Column) -> bool {
        match (&self.key, column.column_type()) {
            (Key::Integer(_), ColumnType::Amount | ColumnType::Time | ColumnType::Integer) => true,
            // No column holds the NUL character, and PostgreSQL refuses to compare with it.
            (Key::Text(text), ColumnType::Id | ColumnType::Text | ColumnType::Tags) => !text.contains('\0'),
            _ => false,
        }
    }
}

/// A value in a sorted column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Key {
    Integer(i64),
    Text(String),
}

impl PageCursor {
    /// The order of two places of one list.
    pub(crate) fn order(&self, other: &Self, descending: bool) -> Ordering {
        let ascending = (&self.key, self.id).cmp(&(&other.key, other.id));
        if descending { ascending.reverse() } else { ascending }
    }

    /// Whether it comes after another.
    pub(crate) fn is_beyond(&self, other: &Self, descending: bool) -> bool {
        self.order(other, descending) == Ordering::Greater
    }
}

/// From where a page goes, and in which direction.
#[derive(Debug, Clone, PartialEq)]
pub enum PageStart {
    /// The first page.
    Start,
    /// The page after this place.
    After(PageCursor),
    /// The page before this place.
    Before(PageCursor),
}

impl PageStart {
    /// Whether the page lies before its place.
    pub(crate) fn is_backwards(&self) -> bool {
        matches!(self, Self::Before(_))
    }

    /// The place, but on the first page.
    pub(crate) fn place(&self) -> Option<&PageCursor> {
        match self {
            Self::Start => None,
            Self::After(place) | Self::Before(place) => Some(place),
        }
    }
}

/// A question for a page of components.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The conditions.
    pub filters: Vec<Filter>,
    /// The words to look for.
    pub search: Option<Search>,
    /// The order.
    pub sort: Sort,
    /// From where.
    pub from: PageStart,
    /// How many components at most.
    pub limit: usize,
}

impl Query {
    /// How many components a search counts. More are not worth the time that it takes to count them.
    pub const MAX_FOUND: u64 = 10_000;
}

/// Why a text is not a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FilterError(pub String);

impl Column {
    /// The column of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.as_str() == name)
    }

    /// Whether components can be sorted by it: the short ones. Each has an index but the status, whose two values
    /// would be worth little and cost every write.
    pub fn sortable(self) -> bool {
        matches!(
            self,
            Self::Id
                | Self::Sku
                | Self::Name
                | Self::Manufacturer
                | Self::Mpn
                | Self::MinQuantity
                | Self::UnitCost
                | Self::Status
                | Self::CreatedAt
                | Self::UpdatedAt
        )
    }

    /// Whether components can be counted by its values: those that many components share.
    pub fn countable(self) -> bool {
        matches!(
            self,
            Self::Manufacturer
                | Self::Unit
                | Self::Currency
                | Self::Tags
                | Self::Status
                | Self::CreatedBy
                | Self::UpdatedBy
        )
    }

    /// The operators that a filter on it takes: empty if lists cannot be filtered by it.
    pub fn operators(self) -> Vec<Operator> {
        use Operator::{AtLeast, AtMost, Contains, Equal, In, IsNull};
        let mut operators = match self.column_type() {
            ColumnType::Id | ColumnType::Tags => vec![Equal, In],
            ColumnType::Text => vec![Equal, In, AtLeast, AtMost, Contains],
            ColumnType::Amount | ColumnType::Time | ColumnType::Integer => vec![Equal, In, AtLeast, AtMost],
            ColumnType::CustomFields => return Vec::new(),
        };
        if self.nullable() {
            operators.push(IsNull);
        }
        operators
    }

    fn operand(self, text: &str) -> Result<Operand, FilterError> {
        let wrong = |rule: &str| FilterError(format!("{text:?} {rule}"));
        match self.column_type() {
            ColumnType::Id => {
                text.parse().map(|id| Operand::Id(ComponentId(id))).map_err(|_| wrong("must be a UUID"))
            }
            ColumnType::Text | ColumnType::Tags | ColumnType::CustomFields if text.contains('\0') => {
                Err(wrong("must not hold NUL characters"))
            }
            ColumnType::Text | ColumnType::Tags | ColumnType::CustomFields => {
                Ok(Operand::Text(text.to_owned()))
            }
            ColumnType::Amount => text
                .parse::<Amount>()
                .map(|amount| Operand::Integer(amount.micros()))
                .map_err(|error| wrong(&error.to_string())),
            ColumnType::Time => {
                time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)
                    .map(|at| Operand::Integer(inventory_core::micros(at)))
                    .map_err(|_| wrong("must be a time as RFC 3339 writes it, such as 2027-01-15T08:00:00Z"))
            }
            ColumnType::Integer => {
                text.parse().map(Operand::Integer).map_err(|_| wrong("must be an integer"))
            }
        }
    }
}

impl Operator {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Equal, Self::In, Self::AtLeast, Self::AtMost, Self::Contains, Self::IsNull];

    /// What follows the column's name in a query parameter.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Equal => "",
            Self::In => "__in",
            Self::AtLeast => "__gte",
            Self::AtMost => "__lte",
            Self::Contains => "__contains",
            Self::IsNull => "__isnull",
        }
    }
}

impl Filter {
    /// How many values [`Operator::In`] takes. More would be too deep an expression for SQLite, and too long a
    /// URL for most clients.
    pub const MAX_OPERANDS: usize = 200;

    /// Reads a query parameter such as `unit_cost__gte=0.5`. `None` where the name is not that of a filter.
    pub fn parse(name: &str, value: &str) -> Option<Result<Self, FilterError>> {
        let (column, suffix) = match name.find("__") {
            Some(at) => name.split_at(at),
            None => (name, ""),
        };
        let column = Column::named(column)?;
        let operator = column.operators().into_iter().find(|operator| operator.suffix() == suffix)?;
        Some(Self::operands(column, operator, value).map(|operands| Self { column, operator, operands }))
    }

    /// The column that it is about.
    pub fn column(&self) -> Column {
        self.column
    }

    fn operands(column: Column, operator: Operator, value: &str) -> Result<Vec<Operand>, FilterError> {
        match operator {
            Operator::IsNull => match value {
                "true" => Ok(vec![Operand::Boolean(true)]),
                "false" => Ok(vec![Operand::Boolean(false)]),
                _ => Err(FilterError(format!("{value:?} must be true or false"))),
            },
            Operator::In => {
                let operands: Vec<_> =
                    value.split(',').map(|text| column.operand(text)).collect::<Result<_, _>>()?;
                if operands.len() > Self::MAX_OPERANDS {
                    return Err(FilterError(format!(
                        "must have at most {} values, and this has {}",
                        Self::MAX_OPERANDS,
                        operands.len()
                    )));
                }
                Ok(operands)
            }
            _ => Ok(vec![column.operand(value)?]),
        }
    }
}
