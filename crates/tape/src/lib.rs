//! The names of the things of tape, and [`Drive`], the one seam of the system.
//!
//! A [`Drive`] is SSC (SCSI Stream Commands) without SCSI. Reaching a filemark, the end of data or
//! early warning is not an error but a [`Stop`]: success with news. After every operation, failed
//! ones too, the value says where the tape is.
//!
//! This crate does no I/O, starts no threads and does not know Linux.

mod drive;
mod motion;
mod numbers;
mod outcome;

pub use drive::{
    Door, Drive, EraseExtent, LoadKind, Mark, ModeSelect, Partitioning, SpaceUnit, Transfer,
    WriteMode,
};
pub use motion::Motion;
pub use numbers::{
    Address, BlockLimits, Capacity, FileNumber, Identity, Mode, ObjectNumber, PartitionNumber,
    Position,
};
pub use outcome::{Done, Failed, ReadDone, Sense, Stop};
