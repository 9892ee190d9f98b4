use std::fmt;

use pseudotape_tape::{Failed, ObjectNumber, VolumeId};

/// Which of the tapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tape {
    /// The one that is rescued.
    Source,
    /// The image that gets what is read, each object under its own number.
    Base,
    /// The image of what was found later.
    Found,
    /// The tape that is written in the end.
    Target,
}

impl fmt::Display for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tape::Source => "the source",
            Tape::Base => "the image of what is rescued",
            Tape::Found => "the image of what was found later",
            Tape::Target => "the target",
        })
    }
}

/// Why a rescue can't go on. What was read before is kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A drive failed, and not because of a damaged block.
    #[error("{tape}: object {object}: can't {action}: {failed}")]
    Drive {
        /// Which.
        tape: Tape,
        /// The object at hand.
        object: ObjectNumber,
        /// Read, write, position or commit.
        action: &'static str,
        /// The drive's reason.
        failed: Failed,
    },
    /// A drive of ours is not where it must be.
    #[error(
        "{tape}: it is before object {found} and should be before {expected}: its positions can't be trusted"
    )]
    Position {
        /// Which.
        tape: Tape,
        /// Where it should be.
        expected: ObjectNumber,
        /// Where it is.
        found: ObjectNumber,
    },
    /// Nothing more fits.
    #[error("{tape} is full: object {object} does not fit")]
    Full {
        /// Which.
        tape: Tape,
        /// What does not fit.
        object: ObjectNumber,
    },
    /// No memory for a block.
    #[error("the source: object {object} is a block of {length} bytes: more memory than there is")]
    Memory {
        /// The block.
        object: ObjectNumber,
        /// Its length.
        length: usize,
    },
    /// The images do not hold what the map says.
    #[error(
        "objects on {tape}: {holds}, and the map says {says}: it is not the one that belongs to the map, or it has \
         lost its end"
    )]
    Short {
        /// Which.
        tape: Tape,
        /// Objects on it.
        holds: u64,
        /// Objects that must be on it.
        says: u64,
    },
    /// Objects that were good can't be read from their image any more. The map says so now: they are not tried.
    #[error(
        "{tape}: object {object} was read from the tape once, and can't be read from its image any more, as {objects} in \
         all: they are marked as not tried, and the same command reads them from the tape again"
    )]
    Lost {
        /// Where the first one was.
        tape: Tape,
        /// The first one.
        object: ObjectNumber,
        /// How many.
        objects: u64,
    },
    /// The image that is given is another one than that of the map.
    #[error(
        "the map is of volume {target}, and there is {found}: name the image that belongs to the map"
    )]
    OtherBase {
        /// The volume that is wanted.
        target: VolumeId,
        /// What is there.
        found: String,
    },
    /// The source is another tape than the one that the map is of.
    #[error("the source is not the tape that this rescue is of: {0}")]
    OtherTape(String),
    /// There are fewer tape files.
    #[error(
        "the source: there is no tape file {file}: filemarks that can be found on it: {found}, and files are counted from 0"
    )]
    NoFile {
        /// Which is wanted.
        file: u64,
        /// Filemarks that were passed.
        found: u64,
    },
    /// A file could not be written or read.
    #[error("{0}")]
    Keeping(String),
}
