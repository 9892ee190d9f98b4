//! The names of the things of tape, and [`Drive`], the one seam of the system; [`Volume`] is a drive with an opened
//! volume in it.
//!
//! A [`Drive`] is SSC (SCSI Stream Commands) without SCSI. Reaching a filemark, the end of data or
//! early warning is not an error but a [`Stop`]: success with news. After every operation, failed
//! ones too, the value says where the tape is.
//!
//! This crate does no I/O, starts no threads and does not know Linux.

mod adaptor;
mod attributes;
mod drive;
mod each;
mod motion;
mod numbers;
mod outcome;
mod volume;
mod wide;

pub use adaptor::Bare;
pub use attributes::{Attribute, AttributeFormat, Attributes};
pub use drive::{Door, Drive, ModeSelect, Transfer};
pub use each::read_each;
pub use motion::{EraseExtent, LoadKind, Mark, Motion, Partitioning, SpaceUnit, WriteMode};
pub use numbers::{
    Address, BlockLimits, Capacity, FileNumber, Identity, Mode, ObjectInFile, ObjectNumber,
    PartitionNumber, Position,
};
pub use outcome::{Done, Failed, ReadDone, Sense, Stop};
pub use volume::{
    Access, AttributesError, Noted, Volume, VolumeError, VolumeId, VolumeIdentity, Writability,
    commit_before_end, make_ready, writability_by_mode,
};
pub use wide::wide;
