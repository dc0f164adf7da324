//! Where components are.

/// The components.
pub(super) const COMPONENTS_PATH: &str = "/api/v1/components";
/// One component.
pub(super) const COMPONENT_PATH: &str = "/api/v1/components/{id}";
/// Many changes at once.
pub(super) const BATCH_PATH: &str = "/api/v1/components/batch";
