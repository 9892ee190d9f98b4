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

/// How the position of the tape is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locating {
    /// The drive supports `MTIOCPOS` and `MTSEEK`.
    Asked,
    /// The drive supports neither, so objects are counted from the beginning of the tape.
    Counted,
}

/// What is known of the position of the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// The tape is before this object.
    At(u64),
    /// File and block, as the driver reported them at the open. The object number still has to be found by
    /// counting.
    InFile {
        /// Number of filemarks before the position.
        file: u64,
        /// Number of blocks between the last of these filemarks and the position.
        block: u64,
    },
    /// The position is unknown until a motion to an absolute position.
    Lost,
}

/// Whether the drive is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// The drive is ready.
    Ready,
    /// The drive is not ready, or this is not known. The next operation checks again.
    Not(Sense),
}

/// What is known of the medium. It is forgotten when the medium changes.
#[derive(Debug)]
pub(crate) struct PerMedium {
    pub(crate) locating: Locating,
    pub(crate) partition: u8,
    pub(crate) place: Whereabouts,
    /// Number of filemarks before the position, if counted.
    pub(crate) file: Option<u64>,
    pub(crate) files: Files,
    /// `files` rests on numbers that the driver reported at the open. They may belong to another medium.
    pub(crate) hearsay: bool,
    /// Positions from this one on lie behind early warning.
    pub(crate) early_warning: Option<u64>,
    /// The medium is write-protected by its switch.
    pub(crate) protected: bool,
    /// The drive supports setmarks.
    pub(crate) setmarks: bool,
    /// The medium refused an overwrite before, so it is WORM.
    pub(crate) worm: bool,
    /// Something was written since the last commit.
    pub(crate) dirty: bool,
    /// The driver's block number is wrong: a commit sets it to 0, and a read at the end of data may increase
    /// it. This matters only if the drive can't report its position.
    pub(crate) miscounted: bool,
    /// The driver may fail the next write with ENOSPC without asking the drive.
    pub(crate) edge: bool,
    /// A write at the beginning failed. The reason may have been a changed medium.
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
/// Operations block until the drive is done. What the driver can't report is unknown here too: the capacity,
/// and whether a filemark was the first object behind early warning (the next write shows it).
pub struct DeviceDrive {
    pub(crate) path: PathBuf,
    pub(crate) access: Access,
    pub(crate) identity: Identity,
    pub(crate) opener: Opener,
    pub(crate) node: Option<Box<dyn TapeNode>>,
    pub(crate) readiness: Readiness,
    /// Unit attention for the next operation to report.
    pub(crate) attention: Option<Sense>,
    pub(crate) medium: PerMedium,
    /// Block limits, once they were found.
    pub(crate) limits: Option<BlockLimits>,
    /// Largest read that the drive's host adapter supports.
    pub(crate) longest_read: usize,
    /// Length of the longest block that did not fit into a caller's buffer. Reads use at least this length.
    pub(crate) expected: usize,
    pub(crate) buffer: AlignedBuffer,
    /// Block size that the host set. The node itself is in variable block mode.
    pub(crate) block_size: u32,
    /// Block size of the node before it was opened here.
    pub(crate) found_block_size: Option<u32>,
    pub(crate) buffering: Option<u8>,
    pub(crate) compression: Option<bool>,
    pub(crate) door: Door,
    /// This drive has set the driver's option for partitions.
    pub(crate) partitions_allowed: bool,
    pub(crate) trouble: Option<String>,
    /// Recovered errors of the drive that are not yet reported.
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
    /// Path of the node.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Position of the tape. `None`: no medium, or not known.
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

    /// Records that the tape is before `object`. `file` is the file number counted on the way, if any.
    pub(crate) fn arrive(&mut self, object: u64, file: Option<u64>) {
        self.medium.place = Whereabouts::At(object);
        self.medium.file = self.medium.files.file_at(object).or(file);
    }

    /// Records that the position is unknown.
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

    /// Block limits. If they are not known: the widest limits of any drive.
    pub(crate) fn known_limits(&self) -> BlockLimits {
        self.limits.unwrap_or(BlockLimits {
            min_bytes: 1,
            max_bytes: LARGEST_BLOCK,
            granularity_bytes: 1,
        })
    }
}

/// Flags of `MTIOCGET` after a motion or transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) mark: bool,
    pub(crate) end_of_data: bool,
    pub(crate) end_of_tape: bool,
    /// File number of the driver, if the driver knows it.
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
