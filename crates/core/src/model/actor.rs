//! Who makes a change.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::value::UserName;

/// Who made a change, and how, as events and rows record it: `token:NAME` is a request to the API,
/// `user:NAME` someone in the web admin, `import:NAME` a file that this user uploaded there, `import` a file
/// at the command line, `cli` the command line, and `system` the service itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(value_type = String)]
#[serde(transparent)]
pub struct Actor(Arc<str>);

impl Actor {
    /// A request that carried this API token.
    pub fn token(name: &str) -> Self {
        Self(format!("token:{name}").into())
    }

    /// A user in the web admin.
    pub fn user(name: &UserName) -> Self {
        Self(format!("user:{name}").into())
    }

    /// A file that a user uploaded in the web admin.
    pub fn user_import(name: &UserName) -> Self {
        Self(format!("import:{name}").into())
    }

    /// Someone at the command line.
    pub fn cli() -> Self {
        Self("cli".into())
    }

    /// An import at the command line.
    pub fn import() -> Self {
        Self("import".into())
    }

    /// The service itself.
    pub fn system() -> Self {
        Self("system".into())
    }

    /// An actor as the database holds it.
    pub fn stored(text: &str) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
