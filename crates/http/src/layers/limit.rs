//! The limits that a request may meet.

/// Which limit a request met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The requests with one token.
    Token,
    /// The requests without a valid token from one address.
    Address,
    /// The wrong tokens from one address.
    Guesses,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Token, Self::Address, Self::Guesses];

    /// Its name, in headers and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Address => "address",
            Self::Guesses => "guesses",
        }
    }
}
