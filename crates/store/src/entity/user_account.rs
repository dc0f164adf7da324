use inventory_core::{Actor, User, UserId, UserName, from_micros, micros};
use sea_orm::entity::prelude::*;

use crate::error::ReadError;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_account")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub role: String,
    pub disabled: bool,
    pub password_hash: String,
    pub preferences: String,
    pub created_at: i64,
    pub created_by: String,
    pub updated_at: i64,
    pub updated_by: String,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The row of a user.
    pub(crate) fn new(user: &User, password_hash: String) -> Self {
        let User {
            id,
            name,
            role,
            disabled,
            preferences,
            created_at,
            created_by,
            updated_at,
            updated_by,
            version,
        } = user;
        Self {
            id: id.0,
            name: name.to_string(),
            role: role.as_str().to_owned(),
            disabled: *disabled,
            password_hash,
            // Cannot fail: it has no map with keys other than texts.
            preferences: serde_json::to_string(preferences).unwrap_or_default(),
            created_at: micros(*created_at),
            created_by: created_by.to_string(),
            updated_at: micros(*updated_at),
            updated_by: updated_by.to_string(),
            version: i64::try_from(*version).unwrap_or(i64::MAX),
        }
    }
}

impl TryFrom<Model> for User {
    type Error = ReadError;

    fn try_from(row: Model) -> Result<Self, ReadError> {
        let Model {
            id,
            name,
            role,
            disabled,
            // It stays in the database.
            password_hash: _,
            preferences,
            created_at,
            created_by,
            updated_at,
            updated_by,
            version,
        } = row;
        let corrupt = |column: &str| ReadError::Corrupt(format!("the {column} of user {id}"));
        Ok(Self {
            id: UserId(id),
            name: UserName::stored(name),
            role: role.parse().map_err(|_| corrupt("role"))?,
            disabled,
            preferences: serde_json::from_str(&preferences).map_err(|_| corrupt("preferences"))?,
            created_at: from_micros(created_at),
            created_by: Actor::stored(&created_by),
            updated_at: from_micros(updated_at),
            updated_by: Actor::stored(&updated_by),
            version: u64::try_from(version).map_err(|_| corrupt("version"))?,
        })
    }
}
