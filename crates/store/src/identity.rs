//! Users with passwords, their sessions, and API tokens.
//!
//! Each change that a person decides is an event, in the same transaction. When a token was last used, for example, is
//! none.

mod command;
mod conflict;
mod context;
mod password;
mod refusals;
mod secret;
mod session;
mod token;
mod token_cache;
mod user;

pub use command::{SessionSelector, TokenKey};
pub use conflict::{TokenConflict, TokenNotFound, UserConflict, UserNameTaken, UserNotFound};
pub use password::{Password, PasswordError};
pub use session::{Session, Sessions, SignIn, SignInError, SignedIn};
pub use token::{NewToken, Tokens};
pub use token_cache::Authenticated;
pub use user::{NewPassword, Users};

pub(crate) use context::IdentityContext;
pub(crate) use password::Passwords;
pub(crate) use refusals::Refusals;
pub(crate) use session::purge as purge_sessions;
pub(crate) use token_cache::TokenCache;
