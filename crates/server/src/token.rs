//! `inventory token`

use std::io::{Write as _, stdout};

use inventory_core::{Actor, Token};
use inventory_store::Store;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    config::{self, Common},
    database::{self, Purpose},
};

/// Makes, lists or revokes API tokens.
pub(crate) async fn run(common: &Common, command: config::Token) -> anyhow::Result<()> {
    let purpose = match command {
        // Whoever prepares an installation makes a token before the first start.
        config::Token::Create { .. } => Purpose::Fill,
        config::Token::List | config::Token::Revoke { .. } => Purpose::Inspect,
    };
    let store = database::open(common, purpose).await?;
    let outcome = carry_out(&store, command).await;
    store.close().await;
    outcome
}

async fn carry_out(store: &Store, command: config::Token) -> anyhow::Result<()> {
    match command {
        config::Token::Create { name } => {
            let (token, secret) = store.create_token(&name, Actor::cli()).await?;
            crate::say(&format!("The token {} was made. Its secret is shown only now:", token.name));
            writeln!(stdout(), "{secret}")?;
        }
        config::Token::List => {
            let tokens = store.tokens().await?;
            stdout().write_all(table(&tokens)?.as_bytes())?;
        }
        config::Token::Revoke { name } => {
            store.revoke_token(&name, Actor::cli()).await?;
            crate::say(&format!("The token {name} is revoked."));
        }
    }
    Ok(())
}

/// The tokens in columns as wide as their longest names.
fn table(tokens: &[Token]) -> anyhow::Result<String> {
    let mut rows = vec![["NAME".to_owned(), "CREATED".to_owned(), "REVOKED".to_owned()]];
    for Token { id: _, name, created_at, revoked_at } in tokens {
        let revoked = revoked_at.map(seconds).transpose()?.unwrap_or_else(|| "-".to_owned());
        rows.push([name.clone(), seconds(*created_at)?, revoked]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (name_width, created_width) = (width(0), width(1));
    let lines = rows
        .iter()
        .map(|[name, created, revoked]| format!("{name:name_width$}  {created:created_width$}  {revoked}\n"));
    Ok(lines.collect())
}

fn seconds(at: OffsetDateTime) -> Result<String, time::error::Format> {
    at.truncate_to_second().format(&Rfc3339)
}
