use std::cell::Cell;
use std::fmt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use pseudotape_mtio::{GeneralStatus, MtGet};
use pseudotape_tape::{
    BlockLimits, Door, Failed, FileNumber, Identity, ObjectNumber, PartitionNumber, Position, Sense,
};

use pseudotape_tape::Access;

use crate::aligned::AlignedBuffer;
use crate::files::Files;
use crate::limits::LARGEST_BLOCK;
use crate::node::{Opener, TapeNode};

/// How the place of the tape is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locating {
    /// The drive answers `MTIOCPOS` and `MTSEEK`.
    Asked,
    /// It does not: objects are counted from the beginning of the tape.
    Counted,
}

/// What is known of the place of the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// Before this object.
    At(u64),
    /// So far into this file, as the driver said when it was opened; which object that is has to be counted.
    InFile {
        /// Filemarks before it.
        file: u64,
        /// Blocks of the file before it.
        block: u64,
    },
    /// Not known until a motion to a place of its own.
    Lost,
}

/// Whether the drive can work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// It can.
    Ready,
    /// It can't, or it is not known: to be looked at again.
    Not(Sense),
}

/// What is known of the medium; forgotten with it.
#[derive(Debug)]
pub(crate) struct PerMedium {
    pub(crate) locating: Locating,
    pub(crate) partition: u8,
    pub(crate) place: Whereabouts,
    /// Filemarks before the place, where they were counted.
    pub(crate) file: Option<u64>,
    pub(crate) files: Files,
    /// What is known of files is by the driver's word of when it was opened, which may have been of another medium.
    pub(crate) hearsay: bool,
    /// Places from this one on lie behind early warning.
    pub(crate) early_warning: Option<u64>,
    /// Write protected, by the switch of the medium.
    pub(crate) protected: bool,
    /// The drive takes setmarks.
    pub(crate) setmarks: bool,
    /// It was seen to refuse an overwrite.
    pub(crate) worm: bool,
    /// Written since the last commit.
    pub(crate) dirty: bool,
    /// The driver's block number is wrong: a commit makes it 0, a read at the end of data may count. It matters where the drive has none of its own.
    pub(crate) miscounted: bool,
    /// The driver may answer the next write with an ENOSPC of its own.
    pub(crate) edge: bool,
    /// A write at the beginning failed, which may have been the news of another medium.
    pub(crate) suspected: bool,
}

impl PerMedium {
    pub(crate) fn unknown() -> Self {
        PerMedium {
            locating: Locating::Asked,
            partition: 0,
            place: Whereabouts::Lost,
            file: None,
            files: Files::default(),
            hearsay: false,
            early_warning: None,
            protected: false,
            setmarks: false,
            worm: false,
            dirty: false,
            miscounted: false,
            edge: true,
            suspected: false,
        }
    }
}

/// A tape drive behind a device node.
///
/// Operations block as long as the drive takes. What the driver can't tell is unknown here too: the
/// capacity, and whether a filemark was the first object behind early warning (the next write says so).
pub struct DeviceDrive {
    pub(crate) path: PathBuf,
    pub(crate) access: Access,
    pub(crate) identity: Identity,
    pub(crate) opener: Opener,
    pub(crate) node: Option<Box<dyn TapeNode>>,
    pub(crate) readiness: Readiness,
    /// To be told by the next operation.
    pub(crate) attention: Option<Sense>,
    pub(crate) medium: PerMedium,
    /// Block limits, once the drive could be asked.
    pub(crate) limits: Option<BlockLimits>,
    /// Largest read that the drive's host adapter takes.
    pub(crate) longest_read: usize,
    /// A block longer than a caller's buffer was met: the length to read with at least.
    pub(crate) expected: usize,
    pub(crate) buffer: AlignedBuffer,
    /// Block size that the host asked for; the node itself is in variable block mode.
    pub(crate) block_size: u32,
    /// Block size that the node had.
    pub(crate) found_block_size: Option<u32>,
    pub(crate) buffering: Option<u8>,
    pub(crate) compression: Option<bool>,
    pub(crate) door: Door,
    /// The driver was told to allow partitions.
    pub(crate) partitions_allowed: bool,
    pub(crate) trouble: Option<String>,
    /// Errors that the drive said it recovered, not yet told.
    pub(crate) recovered: Cell<u32>,
}

impl fmt::Debug for DeviceDrive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceDrive")
            .field("path", &self.path)
            .field("readiness", &self.readiness)
            .field("medium", &self.medium)
            .finish_non_exhaustive()
    }
}

impl DeviceDrive {
    /// The node.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the tape is; `None` without a medium, or not known.
    pub(crate) fn here(&self) -> Option<Position> {
        match (self.readiness, self.medium.place) {
            (Readiness::Ready, Whereabouts::At(object)) => Some(self.position_at(object)),
            (Readiness::Ready, Whereabouts::InFile { .. } | Whereabouts::Lost)
            | (Readiness::Not(_), _) => None,
        }
    }

    pub(crate) fn position_at(&self, object: u64) -> Position {
        Position {
            partition: PartitionNumber(self.medium.partition),
            object: ObjectNumber(object),
            file: self.medium.file.map(FileNumber),
            past_early_warning: self.is_past_early_warning(object),
        }
    }

    pub(crate) fn is_past_early_warning(&self, object: u64) -> bool {
        self.medium.early_warning.is_some_and(|from| object >= from)
    }

    /// The tape is before `object` now; `file` is what was counted on the way there.
    pub(crate) fn arrive(&mut self, object: u64, file: Option<u64>) {
        self.medium.place = Whereabouts::At(object);
        self.medium.file = self.medium.files.file_at(object).or(file);
    }

    /// The place is not known any more.
    pub(crate) fn lose_place(&mut self) {
        self.medium.place = Whereabouts::Lost;
        self.medium.file = None;
        self.medium.files = Files::default();
        self.medium.edge = true;
    }

    pub(crate) fn fail<T>(&self, sense: Sense, count: u64) -> Result<T, Failed> {
        Err(Failed {
            sense,
            count,
            position: self.here(),
        })
    }

    pub(crate) fn note(&mut self, what: &str, errno: Errno) {
        self.trouble = Some(format!("{}: {what}: {}", self.path.display(), errno.desc()));
    }

    /// Longest and shortest block; what is not known is what any drive may take.
    pub(crate) fn known_limits(&self) -> BlockLimits {
        self.limits.unwrap_or(BlockLimits {
            min_bytes: 1,
            max_bytes: LARGEST_BLOCK,
            granularity_bytes: 1,
        })
    }
}

/// Flags of `MTIOCGET` that a motion or transfer ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) mark: bool,
    pub(crate) end_of_data: bool,
    pub(crate) end_of_tape: bool,
    /// File number of the driver, where it knows.
    pub(crate) file: Option<u64>,
}

impl From<MtGet> for Flags {
    fn from(status: MtGet) -> Self {
        Flags {
            mark: status.general.contains(GeneralStatus::EOF),
            end_of_data: status.general.contains(GeneralStatus::EOD),
            end_of_tape: status.general.contains(GeneralStatus::EOT),
            file: u64::try_from(status.file).ok(),
        }
    }
}
