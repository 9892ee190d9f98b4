//! A recovery that is under way.

/// A recovery that no person has ended yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The number of the backup that the catalog came from.
    pub sequence: u64,
    /// When that was made, in milliseconds after 1970.
    pub backup_ms: u64,
    /// When it was restored.
    pub at_ms: u64,
    /// Whether the tapes were looked through and it is written down what was lost. Until then the recovery is to be
    /// repeated, and can't be ended.
    pub is_reported: bool,
}
