//! Who has the mirror as its drive: a slave end, or a drive of the device daemon.

use pseudotape_tape::BlockLimits;

/// What a mirror tells whoever has it as its drive.
pub trait Holder: Send + Sync {
    /// The drive was asked what it is.
    fn was_greeted(&self);

    /// The drive was asked for its block limits, and said these.
    fn was_told(&self, limits: BlockLimits);

    /// Volumes were loaded that take blocks of these lengths.
    fn hear_limits(&self, limits: BlockLimits);

    /// The mirror ends: it answers no call any more.
    fn part(&self);
}
