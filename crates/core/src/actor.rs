//! Who makes a change.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// Who made a change, as events and rows record it: `token:NAME`, `cli`, `import` or `system`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String))]
#[serde(transparent)]
pub struct Actor(Arc<str>);

impl Actor {
    /// A request that carried this API token.
    pub fn token(name: &str) -> Self {
        Self(format!("token:{name}").into())
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
