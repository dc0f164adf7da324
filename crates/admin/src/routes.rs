//! A router that remembers its paths, so that the table of who may do what can be held against all of them.

use axum::routing::MethodRouter;

/// As axum's, for the pages of the admin. No module takes axum's own: a page that is in no list could be forgotten.
pub(crate) struct Router<S> {
    router: axum::Router<S>,
    paths: Vec<&'static str>,
}

impl<S: Clone + Send + Sync + 'static> Router<S> {
    /// Without a route.
    pub(crate) fn new() -> Self {
        Self { router: axum::Router::new(), paths: Vec::new() }
    }

    /// With this path.
    pub(crate) fn route(mut self, path: &'static str, methods: MethodRouter<S>) -> Self {
        self.paths.push(path);
        Self { router: self.router.route(path, methods), ..self }
    }

    /// With the paths of another one.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.paths.extend(other.paths);
        Self { router: self.router.merge(other.router), ..self }
    }

    /// The paths, in the order in which they were added.
    pub(crate) fn paths(&self) -> &[&'static str] {
        &self.paths
    }

    /// What axum serves.
    pub(crate) fn into_axum(self) -> axum::Router<S> {
        self.router
    }
}
