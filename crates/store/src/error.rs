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
    #[error("the cursor has expired")]
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
    #[error("a database URL must begin with sqlite: or postgres://, and name a file or a server")]
    UrlScheme,
    /// The URL cannot be parsed.
    #[error(
        "the database URL cannot be parsed: a name or password with characters such as / : @ # ? % must have them \
         percent-encoded, and parameters must have values that the driver knows"
    )]
    UrlSyntax,
    /// The database cannot be reached or opened.
    #[error("cannot open the database: {0}")]
    Connect(String),
    /// The schema cannot be brought up to date.
    #[error("cannot bring the database schema up to date: {0}")]
    Migrate(String),
    /// The schema is not up to date, and was not to be changed.
    #[error("the database schema is {0} migrations behind: run `inventory migrate`")]
    Outdated(usize),
    /// A later release has migrated the schema, and this one cannot work with it.
    #[error("this is release {release}, and the database needs release {needed} or later")]
    TooNew {
        /// This release.
        release: &'static str,
        /// The oldest release that can work with the schema.
        needed: String,
    },
    /// Another release has migrated the schema, and it is not known whether this one can work with it.
    #[error(
        "the database has the migration {migration}, which release {release} does not know: use the release that \
         made it"
    )]
    Undeclared {
        /// This release.
        release: &'static str,
        /// The name of the migration.
        migration: String,
    },
    /// The database cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}
