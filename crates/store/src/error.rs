//! What can go wrong between the service and its database.

/// Why a question has no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The database does not answer, or not in time.
    #[error("the database does not answer: {0}")]
    Unavailable(String),
    /// The database refused the question for a reason that the service does not know. With the code of the database,
    /// where there is one.
    #[error("the database failed: {0}")]
    Failed(String),
    /// A page of a walk that began too many events ago, or in a log that was another.
    #[error("the walk through the list has lasted too long")]
    Expired,
    /// A row is not what the service writes.
    #[error("a row is not as the service writes it: {0}")]
    Corrupt(String),
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL is not one of a database that the service knows.
    #[error("{0:?} is not a database URL: it must begin with sqlite: or postgres://")]
    Url(String),
    /// The database cannot be reached or opened.
    #[error("cannot open the database: {0}")]
    Connect(String),
    /// The schema cannot be brought up to date, or is newer than this binary.
    #[error("cannot bring the database schema up to date: {0}")]
    Migrate(String),
    /// The schema is not up to date, and was not to be changed.
    #[error("the database schema is {0} migrations behind: run `inventory migrate`")]
    Outdated(usize),
    /// The database cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}
