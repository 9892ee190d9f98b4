use std::num::NonZeroU32;

use crate::motion::{EraseExtent, LoadKind, Mark, Motion, Partitioning, SpaceUnit, WriteMode};
use crate::numbers::{Address, BlockLimits, Capacity, Identity, Mode, Position};
use crate::outcome::{Done, Failed, ReadDone};

/// How one transfer is cut into blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// The whole buffer is one block.
    Variable,
    /// The buffer is a whole number of blocks of this size.
    Fixed(NonZeroU32),
}

/// PREVENT and ALLOW MEDIUM REMOVAL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Removal prevented.
    Locked,
    /// Removal allowed.
    Unlocked,
}

/// Changes of the drive's mode; `None` leaves a value as it is (MODE SELECT).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModeSelect {
    /// Block size in bytes; 0 is variable block mode.
    pub block_size: Option<u32>,
    /// Density code.
    pub density: Option<u8>,
    /// Buffered mode, 0 to 7.
    pub buffering: Option<u8>,
    /// Compression.
    pub compression: Option<bool>,
}

impl ModeSelect {
    /// What is chosen of a drive's mode after both changes, and is chosen again when another medium is in it. The
    /// density is left out: it belongs to the medium.
    #[must_use]
    pub fn and_then(self, later: ModeSelect) -> ModeSelect {
        ModeSelect {
            block_size: later.block_size.or(self.block_size),
            density: None,
            buffering: later.buffering.or(self.buffering),
            compression: later.compression.or(self.compression),
        }
    }
}

/// One tape drive: the seam between what a host sees and what holds the tape.
///
/// Operations block until done. Unit attentions ([`Sense::MediumChanged`](crate::Sense::MediumChanged),
/// [`Sense::Reset`](crate::Sense::Reset)) are reported once, by the next operation that touches the
/// medium or by [`Drive::test_ready`], and clear themselves thereby.
///
/// Without a medium every operation on it fails with [`Sense::NoMedium`](crate::Sense::NoMedium).
pub trait Drive: Send {
    /// Says what drive this is. Never blocks.
    fn identity(&self) -> Identity;

    /// Says the lengths of blocks that the drive takes. Never blocks, needs no medium.
    fn block_limits(&self) -> BlockLimits;

    /// Says whether a medium is loaded and the drive can work on it (TEST UNIT READY).
    fn test_ready(&mut self) -> Result<(), Failed>;

    /// Says how the drive reads and writes (MODE SENSE). Works without a medium.
    fn mode(&mut self) -> Result<Mode, Failed>;

    /// Changes how the drive reads and writes (MODE SELECT); all of it or nothing.
    fn set_mode(&mut self, change: ModeSelect) -> Result<(), Failed>;

    /// Reads into `buffer` (READ).
    ///
    /// | variable: the tape is before | result | position after |
    /// |---|---|---|
    /// | a block no longer than the buffer | the block, `bytes == block_length` | behind it |
    /// | a longer block | its first bytes, `block_length > bytes` | behind it |
    /// | a filemark, setmark | nothing, `stop` | behind it |
    /// | the end of data | nothing, [`Stop::EndOfData`](crate::Stop::EndOfData) | unchanged |
    /// | a damaged block | [`Sense::MediumError`](crate::Sense::MediumError) | behind it |
    ///
    /// In fixed block mode the same for each of `buffer.len() / size` blocks until the first stop;
    /// a block of another length is [`Stop::IllegalLength`](crate::Stop::IllegalLength), behind it.
    fn read(&mut self, transfer: Transfer, buffer: &mut [u8]) -> Result<ReadDone, Failed>;

    /// Writes `data` here; what was recorded behind is gone (WRITE).
    ///
    /// | condition | result | position after |
    /// |---|---|---|
    /// | fits before early warning | whole count | behind it |
    /// | fits, ends in the early-warning zone | whole count, [`Stop::EarlyWarning`](crate::Stop::EarlyWarning) | behind it |
    /// | does not fit before the physical end | blocks that fitted, [`Stop::EndOfPartition`](crate::Stop::EndOfPartition) | behind them |
    /// | write protected | [`Sense::WriteProtected`](crate::Sense::WriteProtected) | unchanged |
    ///
    /// A block written is in the hands of the operating system when this returns: it survives the
    /// death of this process.
    fn write(&mut self, transfer: Transfer, data: &[u8]) -> Result<Done, Failed>;

    /// Lengthens the block just written by `data`.
    ///
    /// Only directly after a [`Drive::write`] in [`Transfer::Variable`] (or another `extend`) that
    /// did its whole count; anything else, and a drive that can't, answers
    /// [`Sense::IllegalRequest`](crate::Sense::IllegalRequest) and changes nothing. A frontend uses
    /// it where it can't know how long a system call is when its first piece arrives.
    fn extend(&mut self, data: &[u8]) -> Result<Done, Failed>;

    /// Does one motion; the table of each is with its [`Motion`].
    fn execute(&mut self, motion: Motion) -> Result<Done, Failed>;

    /// Commits and unloads the medium (UNLOAD).
    fn unload(&mut self) -> Result<(), Failed>;

    /// Says where the tape is (READ POSITION).
    fn position(&mut self) -> Result<Position, Failed>;

    /// Says how much fits and how much is recorded.
    fn capacity(&mut self) -> Result<Capacity, Failed>;

    /// Prevents or allows the removal of the medium.
    fn set_door(&mut self, door: Door) -> Result<(), Failed>;

    /// Takes how many errors were recovered since this was asked last: operations that did what they should
    /// after a repair (RECOVERED ERROR), and therefore did not fail. Asks no other process, never blocks.
    fn take_recovered(&mut self) -> u32;

    // The motions by their names. Each is `execute` with a value, so that a drive has one place for them; no drive
    // writes them anew (`tests/tests/architecture.rs` looks).

    /// [`Motion::WriteMarks`].
    fn write_marks(&mut self, mark: Mark, count: u32, mode: WriteMode) -> Result<Done, Failed> {
        self.execute(Motion::WriteMarks { mark, count, mode })
    }

    /// [`Motion::Space`].
    fn space(&mut self, unit: SpaceUnit, count: i64) -> Result<Done, Failed> {
        self.execute(Motion::Space { unit, count })
    }

    /// [`Motion::SpaceToEndOfData`].
    fn space_to_end_of_data(&mut self) -> Result<Done, Failed> {
        self.execute(Motion::SpaceToEndOfData)
    }

    /// [`Motion::Locate`].
    fn locate(&mut self, to: Address) -> Result<Done, Failed> {
        self.execute(Motion::Locate(to))
    }

    /// [`Motion::Rewind`].
    fn rewind(&mut self) -> Result<Done, Failed> {
        self.execute(Motion::Rewind)
    }

    /// [`Motion::Load`].
    fn load(&mut self, kind: LoadKind) -> Result<Done, Failed> {
        self.execute(Motion::Load(kind))
    }

    /// [`Motion::Erase`].
    fn erase(&mut self, extent: EraseExtent) -> Result<Done, Failed> {
        self.execute(Motion::Erase(extent))
    }

    /// [`Motion::MakePartitions`].
    fn make_partitions(&mut self, partitioning: Partitioning) -> Result<Done, Failed> {
        self.execute(Motion::MakePartitions(partitioning))
    }
}
