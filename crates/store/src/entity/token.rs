use inventory_core::{Token, TokenId, UserId, from_micros, micros};
use sea_orm::entity::prelude::*;

use crate::error::ReadError;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "token")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub hash: Vec<u8>,
    pub created_at: i64,
    pub revoked_at: Option<i64>,
    pub owner: Option<Uuid>,
    pub scopes: String,
    pub hint: String,
    pub expires_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The row of a token.
    pub(crate) fn new(token: &Token, hash: &[u8; 32]) -> Self {
        let Token { id, name, owner, scopes, hint, created_at, expires_at, revoked_at } = token;
        Self {
            id: id.0,
            name: name.clone(),
            hash: hash.to_vec(),
            created_at: micros(*created_at),
            revoked_at: revoked_at.map(micros),
            owner: owner.map(|owner| owner.0),
            scopes: scopes.to_string(),
            hint: hint.clone(),
            expires_at: expires_at.map(micros),
        }
    }
}

impl TryFrom<Model> for Token {
    type Error = ReadError;

    fn try_from(row: Model) -> Result<Self, ReadError> {
        // The hash stays in the database.
        let Model { id, name, hash: _, created_at, revoked_at, owner, scopes, hint, expires_at } = row;
        Ok(Self {
            id: TokenId(id),
            name,
            owner: owner.map(UserId),
            scopes: scopes.parse().map_err(|_| ReadError::Corrupt(format!("the scopes of token {id}")))?,
            hint,
            created_at: from_micros(created_at),
            expires_at: expires_at.map(from_micros),
            revoked_at: revoked_at.map(from_micros),
        })
    }
}
