//! `inventory migrate`

use crate::{
    config::Common,
    database::{self, Purpose},
};

/// Brings the schema up to date, which opening the database does.
pub(crate) async fn run(common: &Common) -> anyhow::Result<()> {
    let store = database::open(common, Purpose::Migrate).await?;
    store.close().await;
    crate::say("The database schema is up to date.");
    Ok(())
}
