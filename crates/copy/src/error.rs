use std::fmt;

use pseudotape_tape::{Failed, ObjectNumber};

/// Which of the two drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that is copied from, or the first one of a comparison.
    First,
    /// The one that is copied to, or the second one of a comparison.
    Second,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::First => "the first tape",
            Side::Second => "the second tape",
        })
    }
}

/// Why a copy or a comparison can't go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A drive failed, and not because of a damaged block.
    #[error("{side}: object {object}: can't {action}: {failed}")]
    Drive {
        /// Which drive.
        side: Side,
        /// The object at hand.
        object: ObjectNumber,
        /// Read, write, position or commit.
        action: &'static str,
        /// The drive's reason.
        failed: Failed,
    },
    /// A drive is not where it must be after what it did.
    #[error(
        "{side}: the drive says that it is before object {found}, it should be before {expected}: its positions can't be trusted"
    )]
    Position {
        /// Which drive.
        side: Side,
        /// Where it should be.
        expected: ObjectNumber,
        /// Where it says it is.
        found: ObjectNumber,
    },
    /// A block that the second drive does not take.
    #[error(
        "object {object} is a block of {length} bytes: the second drive takes blocks of {min} to {max} bytes in steps of {granularity}"
    )]
    BlockLength {
        /// The block.
        object: ObjectNumber,
        /// Its length.
        length: u32,
        /// Shortest that it takes.
        min: u32,
        /// Longest that it takes.
        max: u32,
        /// Lengths are multiples of this.
        granularity: u32,
    },
    /// No memory for a block.
    #[error("{side}: object {object} is a block of {length} bytes: more memory than there is")]
    Memory {
        /// Which drive.
        side: Side,
        /// The block.
        object: ObjectNumber,
        /// Its length.
        length: u32,
    },
    /// An unreadable block was to be recorded as such, and the second drive can't.
    #[error("object {object} is unreadable, and the second drive can't record that: {failed}")]
    NotRecordable {
        /// The object.
        object: ObjectNumber,
        /// The drive's reason.
        failed: Failed,
    },
}
