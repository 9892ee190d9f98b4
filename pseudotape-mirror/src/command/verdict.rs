//! How a command ends.

/// How a command ended that could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All is well: exit code 0.
    Well,
    /// A leg is no copy, or something failed: exit code 1.
    Degraded,
}

/// What was refused, or failed: exit code 1.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refused(pub(super) String);
