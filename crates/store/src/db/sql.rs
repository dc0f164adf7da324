//! SQL that is put together from parts.

use sea_orm::DbBackend;

use crate::db::Bind;

/// An SQL text and what its `$1`, `$2`, … stand for.
pub(crate) struct Sql {
    pub(crate) text: String,
    pub(crate) binds: Vec<Bind>,
    pub(crate) backend: DbBackend,
}

impl Sql {
    pub(crate) fn new(backend: DbBackend, text: String) -> Self {
        Self { text, binds: Vec::new(), backend }
    }

    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(crate) fn bind(&mut self, bind: Bind) {
        self.binds.push(bind);
        self.text.push('$');
        self.text.push_str(&self.binds.len().to_string());
    }

    pub(crate) fn bind_all(&mut self, binds: impl IntoIterator<Item = Bind>) {
        for (index, bind) in binds.into_iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            self.bind(bind);
        }
    }
}
