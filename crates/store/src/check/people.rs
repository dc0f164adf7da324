//! Whether users and tokens are as their last events say.

use std::collections::HashMap;

use inventory_core::{Event, LogError, Token, User};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::report::CheckReport;
use crate::{
    db::database::Database,
    entity::{event_log, token, user_account},
    error::ReadError,
};

/// Compares every user and every token with the last event about it. There are few of them, so they are read as
/// a whole; a change that is made meanwhile is in the events that are read after the rows.
pub(super) async fn agree(database: &Database, report: &mut CheckReport) -> Result<(), ReadError> {
    let users = user_account::Entity::find().all(&database.long).await?;
    let tokens = token::Entity::find().all(&database.long).await?;
    let told = told(database, report).await?;
    for row in users {
        let user = User::try_from(row)?;
        match told.get(&format!("users/{}", user.id)) {
            Some(Event::UserCreated(event)) if *event.user == user => {}
            Some(Event::UserUpdated(event)) if *event.after == user || event.after.version > user.version => {
            }
            Some(Event::UserDeleted(event)) if event.user.version >= user.version => {}
            Some(_) => report.violation(format!(
                "user {} is not as its last event says: it was changed past the service",
                user.name
            )),
            None => {
                report
                    .violation(format!("user {} has no event: it was inserted past the service", user.name));
            }
        }
    }
    for row in tokens {
        let token = Token::try_from(row)?;
        let as_made = |made: &Token| {
            Token { revoked_at: None, ..made.clone() } == Token { revoked_at: None, ..token.clone() }
        };
        match told.get(&format!("tokens/{}", token.id)) {
            Some(Event::TokenCreated(event)) if *event.token == token => {}
            // One that was revoked meanwhile was good when its row was read.
            Some(Event::TokenRevoked(event)) if as_made(&event.token) => {}
            Some(_) => report.violation(format!(
                "token {:?} is not as its last event says: it was changed past the service",
                token.name
            )),
            None => {
                report.violation(format!(
                    "token {:?} has no event: it was inserted past the service",
                    token.name
                ));
            }
        }
    }
    Ok(())
}

/// The last event of each user and token, by its subject.
async fn told(database: &Database, report: &mut CheckReport) -> Result<HashMap<String, Event>, ReadError> {
    let types = ["user.created", "user.updated", "user.deleted", "token.created", "token.revoked"];
    let rows = event_log::Entity::find()
        .filter(event_log::Column::Type.is_in(types))
        .order_by_asc(event_log::Column::Seq)
        .all(&database.long)
        .await?;
    let mut told = HashMap::new();
    for row in rows {
        let subject = row.subject.clone();
        match inventory_core::EventEnvelope::try_from(row) {
            Ok(event) => drop(told.insert(subject, event.data)),
            // Reported by the check of the whole log.
            Err(LogError::Corrupt { .. }) => {}
            Err(error) => report.violation(error.to_string()),
        }
    }
    Ok(told)
}
