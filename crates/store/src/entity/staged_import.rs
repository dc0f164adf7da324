use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "staged_import")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub name: String,
    pub bytes: i64,
    pub settings: String,
    pub plan: i64,
    pub planned_at: Option<i64>,
    pub creates: i64,
    pub changes: i64,
    pub unchanged: i64,
    pub faulty: i64,
    pub started_at: Option<i64>,
    pub started_by: Option<Uuid>,
    pub outcome: Option<String>,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
