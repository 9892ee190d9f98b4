//! How a command ends.

/// How a command ended that could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All is well: exit code 0.
    Well,
    /// A leg is no copy, or something failed: exit code 1.
    Degraded,
}

/// Stands before the reason why the daemon ended: exit code 1.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the mirror failed")]
pub(super) struct Failed;
