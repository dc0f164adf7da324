//! `inventory migrate`

use crate::{
    config::Common,
    database::{self, Purpose},
    outcome::say,
};

/// Brings the schema up to date, which opening the database does.
pub(crate) async fn run(common: &Common) -> anyhow::Result<()> {
    let store = database::open(common, Purpose::Migrate).await?;
    store.close().await;
    say("The database schema is up to date.");
    Ok(())
}
