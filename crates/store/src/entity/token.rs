use inventory_core::{Token, TokenId, from_micros};
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "token")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub hash: Vec<u8>,
    pub created_at: i64,
    pub revoked_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for Token {
    fn from(row: Model) -> Self {
        // The hash stays in the database.
        let Model { id, name, hash: _, created_at, revoked_at } = row;
        Self {
            id: TokenId(id),
            name,
            created_at: from_micros(created_at),
            revoked_at: revoked_at.map(from_micros),
        }
    }
}
