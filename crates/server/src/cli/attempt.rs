//! What became of a write.

/// What became of operations that were to be carried out together.
pub(crate) enum Attempt {
    /// All were carried out.
    Done,
    /// None was, because someone else changed what they are about: which, and why.
    Overtaken(Vec<(usize, String)>),
}
