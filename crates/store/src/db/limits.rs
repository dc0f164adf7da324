//! How long a statement may take.

use std::time::Duration;

use sea_orm::{DbErr, RuntimeErr};

use super::availability::Availability;

/// The limits of each statement on the connections of a pool.
#[derive(Debug, Clone)]
pub(super) struct StatementLimits {
    /// How long one statement may take. Then its connection is closed.
    pub(super) deadline: Duration,
    pub(super) availability: Availability,
    /// Whether a statement is given up when the database is known to be away.
    pub(super) gives_up: bool,
}

impl StatementLimits {
    /// An error if the database is known to be away and statements are given up then.
    pub(super) fn check(&self) -> Result<(), DbErr> {
        if self.gives_up { self.availability.check().map_err(connection_error) } else { Ok(()) }
    }

    /// Waits for one thing that a connection does. The outer error is that it takes too long, or that the database is
    /// away. The connection, which is in the middle of it, is closed when its lease is dropped.
    pub(super) async fn bounded<T>(&self, statement: impl Future<Output = T>) -> Result<T, DbErr> {
        tokio::select! {
            biased;
            result = statement => Ok(result),
            error = self.lost() => Err(error),
            () = tokio::time::sleep(self.deadline) => {
                Err(connection_error(format!("no answer within {} s", self.deadline.as_secs())))
            }
        }
    }

    async fn lost(&self) -> DbErr {
        if self.gives_up {
            connection_error(self.availability.lost().await)
        } else {
            std::future::pending().await
        }
    }
}

pub(super) fn connection_error(message: impl Into<String>) -> DbErr {
    DbErr::Conn(RuntimeErr::Internal(message.into()))
}
