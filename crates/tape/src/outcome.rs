use std::fmt;

use crate::numbers::Position;

/// Why a motion or transfer ended before its count, or news that comes with its success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Met a filemark.
    Filemark,
    /// Met a setmark.
    Setmark,
    /// Met the end of recorded data.
    EndOfData,
    /// Met the beginning of the partition while going backwards.
    BeginningOfPartition,
    /// Everything was written, and the tape is in the early-warning zone (LEOT).
    EarlyWarning,
    /// What is not counted as done does not fit before the physical end (PEOT, VOLUME OVERFLOW).
    EndOfPartition,
    /// In fixed block mode: met a block of another length (ILI); the tape is behind it.
    IllegalLength,
}

/// The drive's reason for a failure, before it becomes an errno.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sense {
    /// The drive itself is not there: nobody holds the slave end, the peer is gone.
    NoDrive,
    /// NOT READY, medium not present (3Ah).
    NoMedium,
    /// NOT READY for another reason (04h).
    NotReady,
    /// UNIT ATTENTION: the medium may have changed (28h).
    MediumChanged,
    /// UNIT ATTENTION: power on or reset, position lost (29h).
    Reset,
    /// DATA PROTECT: write protected (27h).
    WriteProtected,
    /// DATA PROTECT: this WORM medium can only be appended to (30h 0Ch).
    WormOverwrite,
    /// MEDIUM ERROR: the block at hand is damaged. The tape is behind it.
    MediumError,
    /// HARDWARE ERROR: what holds the medium failed (host I/O error, dead peer).
    HardwareError,
    /// ILLEGAL REQUEST: the drive can't do this, or not with these values.
    IllegalRequest,
}

impl fmt::Display for Sense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sense::NoDrive => "no drive answers",
            Sense::NoMedium => "no medium",
            Sense::NotReady => "not ready",
            Sense::MediumChanged => "medium may have changed",
            Sense::Reset => "drive was reset",
            Sense::WriteProtected => "write protected",
            Sense::WormOverwrite => "WORM medium can only be appended to",
            Sense::MediumError => "medium error",
            Sense::HardwareError => "hardware error",
            Sense::IllegalRequest => "illegal request",
        })
    }
}

/// An operation that succeeded, perhaps not to its whole count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Blocks, marks or objects done; the residual is the count asked minus this.
    pub count: u64,
    /// News, if any.
    pub stop: Option<Stop>,
    /// Where the tape is now.
    pub position: Position,
}

/// A read that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadDone {
    /// Blocks delivered into the buffer.
    pub blocks: u64,
    /// Bytes delivered into the buffer.
    pub bytes: usize,
    /// True length of the last block met, also where it was longer than the buffer.
    pub block_length: u32,
    /// News, if any.
    pub stop: Option<Stop>,
    /// Where the tape is now.
    pub position: Position,
}

/// An operation that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Why.
    pub sense: Sense,
    /// Blocks, marks or objects done before.
    pub count: u64,
    /// Where the tape is now; `None`: no medium, or position lost.
    pub position: Option<Position>,
}

impl Failed {
    /// Failed before anything was done, with the tape where it was.
    #[must_use]
    pub fn at(sense: Sense, position: Option<Position>) -> Self {
        Failed {
            sense,
            count: 0,
            position,
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(p) => write!(
                f,
                "{}, the tape is now before object {} of partition {}",
                self.sense, p.object, p.partition
            ),
            None => write!(f, "{}", self.sense),
        }
    }
}

impl std::error::Error for Failed {}
