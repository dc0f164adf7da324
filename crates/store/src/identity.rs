//! Users with passwords, their sessions, and API tokens.
//!
//! Each change that a person decides is an event, in the same transaction. When a token was last used, for example, is
//! none.

mod command;
mod conflict;
mod password;
mod refusals;
mod session;
mod token;
mod user;

pub use command::{Sessions, TokenKey};
pub use conflict::{NoToken, NoUser, TokenConflict, UserConflict, UserNameTaken};
pub use password::{Password, PasswordError};
pub use session::{Session, SignIn, SignInError, SignedIn};
pub use token::{Authenticated, NewToken};
pub use user::NewPassword;

pub(crate) use password::Passwords;
pub(crate) use refusals::Refusals;
pub(crate) use session::purge as purge_sessions;
pub(crate) use token::TokenCache;
