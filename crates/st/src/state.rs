//! What st remembers, grouped by how long it lives.

use pseudotape_tape::{BlockLimits, Failed, ObjectNumber, Sense};

use crate::errno::Refusal;

/// Partitions that st knows of.
pub(crate) const PARTITIONS: usize = 4;

/// One of the nodes of a drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Mode, 0 to 3: the node without a letter, `l`, `m`, `a`.
    pub mode: u8,
    /// Whether the last close rewinds.
    pub rewinding: bool,
}

/// What a file may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessMode {
    /// `O_RDONLY`.
    Read,
    /// `O_WRONLY`.
    Write,
    /// `O_RDWR`.
    ReadWrite,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFlags {
    /// What it may do.
    pub access: AccessMode,
    /// `O_NONBLOCK`: open also without a medium.
    pub nonblock: bool,
}

/// What the last transfer of this open file was; it decides what a close adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Motion {
    #[default]
    Idle,
    Reading,
    Writing,
}

/// What lies right behind or before the head, as far as st was told.
///
/// The order of the last three matters to nobody: each is matched by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Edge {
    /// Nothing special.
    #[default]
    None,
    /// A filemark was passed, and the program has not been told yet (fixed block mode).
    FilemarkUntold,
    /// Behind a filemark, and the program knows.
    Filemark,
    /// The last write met early warning: the next one is told ENOSPC.
    EarlyWarning,
    /// ENOSPC was told: the next write is tried. A read here gets two zeros.
    NoSpaceTold,
    /// One of two zeros was told at the end of data.
    ZeroTold,
    /// End of data, and nothing but EIO is left to tell.
    EndOfData,
}

/// Whether the drive can work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    NotReady,
    NoMedium,
}

/// Lives as long as the driver: what it heard from the drive.
#[derive(Debug, Default)]
pub(crate) struct PerDrive {
    /// A reset was reported, and nothing has rewound since.
    pub(crate) position_lost: bool,
    /// A change of the medium was reported, and no session began since.
    pub(crate) medium_changed: bool,
    /// The drive was asked at least once; resets before that cost nothing.
    pub(crate) recognized: bool,
    pub(crate) door: DoorState,
}

/// Who locked the door.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DoorState {
    #[default]
    Unlocked,
    /// By `MTLOCK`.
    Explicit,
    /// By the auto-lock option: the last close unlocks it.
    Auto,
    /// The drive can't.
    Fails,
}

/// One partition of the mounted medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PerPartition {
    pub(crate) motion: Motion,
    pub(crate) edge: Edge,
    pub(crate) at_setmark: bool,
    /// Where the head was when the partition was left.
    pub(crate) visited: Option<u32>,
    /// File number; below 0 where it is not known. Spacing with odd counts makes odd numbers of it, and
    /// programs see them.
    pub(crate) file: i32,
    /// Block number in the file; below 0 where it is not known.
    pub(crate) block: i32,
}

impl PerPartition {
    pub(crate) const UNKNOWN: PerPartition = PerPartition {
        motion: Motion::Idle,
        edge: Edge::None,
        at_setmark: false,
        visited: None,
        file: -1,
        block: -1,
    };

    pub(crate) const BEGINNING: PerPartition = PerPartition {
        file: 0,
        block: 0,
        ..PerPartition::UNKNOWN
    };

    /// Counts blocks forward, where the number is known.
    pub(crate) fn advance(&mut self, blocks: u64) {
        if self.block >= 0 {
            self.block = self.block.wrapping_add(truncated(blocks));
        }
    }

    /// Goes behind a filemark.
    pub(crate) fn pass_filemark(&mut self) {
        if self.file >= 0 {
            self.file = self.file.wrapping_add(1);
        }
        self.block = 0;
    }
}

/// Counts are kept in C's `int` by st; what doesn't fit wraps.
pub(crate) fn truncated(count: u64) -> i32 {
    let [a, b, c, d, ..] = count.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

/// Lives as long as a medium is in the drive, or a mode in use.
#[derive(Debug)]
pub(crate) struct PerMount {
    pub(crate) readiness: Readiness,
    pub(crate) limits: Option<BlockLimits>,
    pub(crate) block_size: u32,
    pub(crate) density: u8,
    pub(crate) buffering: u8,
    pub(crate) write_protected: bool,
    /// Block size that `MTSETBLK` asked for in this session.
    pub(crate) block_size_set: Option<i32>,
    /// Density that `MTSETDENSITY` asked for in this session.
    pub(crate) density_set: Option<i32>,
    /// Whether `MTCOMPRESSION` was used in this session.
    pub(crate) compression_set: bool,
    /// Partition that the head is in.
    pub(crate) partition: usize,
    /// Partition that `MTSETPART` chose.
    pub(crate) wanted_partition: usize,
    /// Partitions of the medium, as far as asked; `None` until partitions were allowed.
    pub(crate) partition_count: Option<u8>,
    pub(crate) partitions: [PerPartition; PARTITIONS],
}

impl PerMount {
    pub(crate) fn unknown() -> Self {
        PerMount {
            readiness: Readiness::NotReady,
            limits: None,
            block_size: 0,
            density: 0,
            buffering: 0,
            write_protected: false,
            block_size_set: None,
            density_set: None,
            compression_set: false,
            partition: 0,
            wanted_partition: 0,
            partition_count: None,
            partitions: [PerPartition::UNKNOWN; PARTITIONS],
        }
    }

    /// The partition that the head is in.
    pub(crate) fn here(&mut self) -> &mut PerPartition {
        &mut self.partitions[self.partition]
    }

    /// Requires a ready drive, as operations on the medium do.
    pub(crate) fn require_ready(&self) -> Result<(), Refusal> {
        match self.readiness {
            Readiness::Ready => Ok(()),
            Readiness::NoMedium => Err(Refusal::NoMedium),
            Readiness::NotReady => Err(Refusal::NotReady),
        }
    }
}

/// Lives from open to close.
#[derive(Debug)]
pub(crate) struct PerOpen {
    pub(crate) node: Node,
    pub(crate) flags: OpenFlags,
    /// Waits for the drive to become ready.
    pub(crate) waiting: bool,
    /// Writing is refused: opened to read, or the medium is protected.
    pub(crate) write_refused: bool,
    pub(crate) rewind_at_close: bool,
    /// Blocks go straight to the program's buffer; a read of a part of a block ends that.
    pub(crate) direct: bool,
    /// The close was done before it came.
    pub(crate) closed_early: Option<ClosedEarly>,
}

/// The way back from a close that came early, or why there is none: the close failed, or the drive did not say where
/// it was.
#[derive(Debug)]
pub(crate) struct ClosedEarly(pub(crate) Result<BeforeClose, Refusal>);

/// Where the tape was before a close that came early.
#[derive(Debug)]
pub(crate) struct BeforeClose {
    pub(crate) object: ObjectNumber,
    pub(crate) partition: PerPartition,
}

/// Blocks read ahead in fixed block mode; the buffer is allocated at the first read of a part of a block.
#[derive(Debug, Default)]
pub(crate) struct Lookahead {
    pub(crate) buffer: Vec<u8>,
    /// Bytes already given to the program.
    pub(crate) taken: usize,
    /// Bytes that wait.
    pub(crate) waiting: usize,
}

impl Lookahead {
    pub(crate) fn clear(&mut self) {
        self.taken = 0;
        self.waiting = 0;
    }

    /// Gives waiting bytes to the program.
    pub(crate) fn take(&mut self, to: &mut [u8]) -> usize {
        let count = self.waiting.min(to.len());
        let from = self.taken..self.taken + count;
        to[..count].copy_from_slice(&self.buffer[from]);
        self.taken += count;
        self.waiting -= count;
        count
    }
}

impl PerDrive {
    /// Hears what the drive reports besides the failure itself.
    pub(crate) fn hear(&mut self, failed: &Failed) {
        match failed.sense {
            Sense::Reset => self.position_lost = true,
            Sense::MediumChanged => self.medium_changed = true,
            Sense::NoDrive
            | Sense::NoMedium
            | Sense::NotReady
            | Sense::WriteProtected
            | Sense::WormOverwrite
            | Sense::MediumError
            | Sense::HardwareError
            | Sense::IllegalRequest => {}
        }
    }
}
