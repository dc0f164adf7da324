//! What the store cannot do, as problems. What it refuses is translated by the API of the resource.

use inventory_store::{ReadError, WriteFailure};

use super::{Problem, ProblemType};

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(_) => {
                Self::unexpected(ProblemType::Unavailable, "the database does not answer", &error)
            }
            ReadError::Expired => Self::new(
                ProblemType::CursorExpired,
                "too many events were committed since the first page was read; start again at the first page",
            ),
            // A row that cannot be read, or a kind of failure that is not known here yet.
            _ => Self::unexpected(ProblemType::Internal, "the service cannot read the stored data", &error),
        }
    }
}

impl From<WriteFailure> for Problem {
    fn from(failure: WriteFailure) -> Self {
        match failure {
            WriteFailure::KeyReused => Self::new(
                ProblemType::KeyReused,
                "another request was made with this Idempotency-Key; choose a new key for a new request",
            ),
            WriteFailure::Busy => Self::new(ProblemType::Busy, "the service cannot accept this write now"),
            WriteFailure::Unavailable(_) => Self::unexpected(
                ProblemType::Unavailable,
                "the database does not answer; nothing was changed",
                &failure,
            ),
            WriteFailure::OutcomeUnknown => Self::unexpected(
                ProblemType::OutcomeUnknown,
                "the connection to the database was lost during the commit, so the write may have been \
                 carried out or not",
                &failure,
            ),
            _ => Self::unexpected(ProblemType::Internal, "the write failed", &failure),
        }
    }
}
