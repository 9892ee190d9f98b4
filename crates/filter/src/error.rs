use std::io;
use std::path::PathBuf;

use aws_lc_rs::error::Unspecified;
use pseudotape_tape::Sense;

/// The way out where a block is genuine and not where it should be.
const ALL_THE_SAME: &str = "aes-anywhere=KEYFILE+… reads it all the same";

/// Why a block can't be made into a stored one. Nothing of it is on the tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EncodeError {
    /// The system gives no random numbers, or a number has no room in a seal.
    #[error("the system gives no random numbers")]
    Random,
    /// No memory for it.
    #[error("no memory for a stored block of {length} bytes")]
    Memory {
        /// Its longest length.
        length: usize,
    },
}

impl From<Unspecified> for EncodeError {
    fn from(_: Unspecified) -> Self {
        EncodeError::Random
    }
}

/// Why a block that was stored gives nothing back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// Not one of ours.
    #[error("it was not written through a filter: read this tape without one")]
    NotFiltered,
    /// The header fails its check.
    #[error("its header is damaged")]
    HeaderDamaged,
    /// Made by a later version.
    #[error(
        "its header has version {found}, this program reads version {supported}: use a newer pseudotape"
    )]
    NewerVersion {
        /// Version found.
        found: u8,
        /// Version supported.
        supported: u8,
    },
    /// A way of compressing or encrypting that this program does not know.
    #[error("its {what} is {found}, which this program does not know: use a newer pseudotape")]
    UnknownMethod {
        /// Compression or encryption.
        what: &'static str,
        /// Its number.
        found: u8,
    },
    /// Lengths that don't go together.
    #[error("its header says {what} {found}, it should be {expected}")]
    Length {
        /// Which length.
        what: &'static str,
        /// What is there.
        found: u64,
        /// What should be.
        expected: u64,
    },
    /// The original block would be longer than the drive's longest.
    #[error("it was a block of {length} bytes, longer than the {max} that this drive takes")]
    TooLong {
        /// Its length.
        length: u32,
        /// Longest.
        max: u32,
    },
    /// What is behind the header fails its check.
    #[error("its bytes are damaged")]
    Damaged,
    /// Encrypted, and there is no key.
    #[error("it is encrypted: name the file of its key, aes=KEYFILE+…")]
    NoKey,
    /// Encrypted with another key.
    #[error("it was encrypted with another key than the one given")]
    OtherKey,
    /// Not encrypted, where everything should be.
    #[error(
        "it is not encrypted, and with a key only encrypted blocks are read: who changed the tape? Without aes= it can be read"
    )]
    NotEncrypted,
    /// Not what was encrypted.
    #[error("its authentication fails: it was changed after it was written")]
    Forged,
    /// Written at another place than it was met at.
    #[error(
        "it was written as object {object} of partition {partition}, not at this place: it was put here, or objects before it were taken out or put in ({ALL_THE_SAME})"
    )]
    Elsewhere {
        /// Where it was written.
        partition: u8,
        /// Where it was written.
        object: u64,
    },
    /// Written on another volume with the same key.
    #[error("it was written on another volume with the same key ({ALL_THE_SAME})")]
    OtherVolume,
    /// The first block of the tape, and not the first of its volume.
    #[error(
        "it is the first block here, and was not the first that was written: what was before it was taken out ({ALL_THE_SAME})"
    )]
    NoBeginning,
    /// A block of version 1, which can be from anywhere, on a volume of version 2.
    #[error(
        "it is of version 1, which is bound to no place, on a volume of version 2: it was put here, or an older program wrote it ({ALL_THE_SAME})"
    )]
    NotBound,
    /// Not the block that was written behind the one before it.
    #[error(
        "it is number {found} of what was written in one go, where {expected} has to come: blocks were taken out, put in or exchanged{or} ({ALL_THE_SAME})"
    )]
    OutOfOrder {
        /// Its number.
        found: u64,
        /// The number that has to come.
        expected: u64,
        /// What else it can be.
        or: &'static str,
    },
    /// No memory for it.
    #[error("it is a block of {length} bytes: more memory than there is")]
    Memory {
        /// Its length.
        length: u32,
    },
}

impl BlockError {
    /// Whether the block is whole, and one that this filter does not read.
    pub(crate) fn is_foreign(self) -> bool {
        match self {
            BlockError::NotFiltered
            | BlockError::NewerVersion { .. }
            | BlockError::UnknownMethod { .. }
            | BlockError::NoKey
            | BlockError::OtherKey
            | BlockError::NotEncrypted => true,
            BlockError::HeaderDamaged
            | BlockError::Length { .. }
            | BlockError::TooLong { .. }
            | BlockError::Damaged
            | BlockError::Forged
            | BlockError::Elsewhere { .. }
            | BlockError::OtherVolume
            | BlockError::NoBeginning
            | BlockError::NotBound
            | BlockError::OutOfOrder { .. }
            | BlockError::Memory { .. } => false,
        }
    }

    /// What a drive would say. The wrong key is no damage of the tape: nobody is to record it as such, and nothing is
    /// broken, so that a mirror does not lose a leg by it.
    pub(crate) fn sense(self) -> Sense {
        match self {
            BlockError::NoKey | BlockError::OtherKey => Sense::IllegalRequest,
            _ => Sense::MediumError,
        }
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file can't be read.
    #[error("{path}: can't read the key: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The host's reason.
        source: io::Error,
    },
    /// The process could not be made one that leaves no core file.
    #[error("{path}: can't keep the key out of core files: {source}")]
    Dumpable {
        /// The file.
        path: PathBuf,
        /// The host's reason.
        source: io::Error,
    },
    /// What is in the file is no key.
    #[error("{path}: no key, but {found}: a key has 32 bytes, or 64 hexadecimal digits ({MAKE})")]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What is there.
        found: String,
    },
    /// The file has a key that everybody can guess.
    #[error("{path}: a key of zeros keeps nothing secret ({MAKE})")]
    Zeros {
        /// The file.
        path: PathBuf,
    },
    /// Others can read the key, or change it.
    #[error(
        "{path}: others than its owner can read or change this key (mode {mode:03o}): 'chmod 600' it, and make a new key if that was so for long"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file belongs to somebody else.
    #[error(
        "{path}: this key belongs to user {owner}, who can read and change it: it has to belong to root or to the user who reads it ({user})"
    )]
    Owner {
        /// The file.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who reads it.
        user: u32,
    },
}

/// How to make a key.
const MAKE: &str = "'(umask 077; openssl rand -hex 32 >KEYFILE)' makes one";
