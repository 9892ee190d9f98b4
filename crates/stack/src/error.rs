use pseudotape_tape::{Failed, ObjectNumber};

use crate::BLOCK_BYTES;
use crate::digest::Digest;

/// Why an archive could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The drive failed.
    #[error("can't {action}: {failed}")]
    Drive {
        /// Read, write, position or commit.
        action: &'static str,
        /// Its reason.
        failed: Failed,
    },
    /// The drive is not where it must be after what it did.
    #[error(
        "the drive says that it is before object {found}, it should be before {expected}: its positions can't be trusted"
    )]
    Position {
        /// Where it should be.
        expected: ObjectNumber,
        /// Where it says it is.
        found: ObjectNumber,
    },
    /// The drive does not take the blocks of an archive.
    #[error(
        "archives have blocks of {BLOCK_BYTES} bytes, and this drive takes blocks of {min} to {max} bytes in steps of \
         {granularity}: it can hold none"
    )]
    BlockLength {
        /// Shortest that it takes.
        min: u32,
        /// Longest that it takes.
        max: u32,
        /// Lengths are multiples of this.
        granularity: u32,
    },
    /// Text that can't be the name of a payload.
    #[error(
        "'{0}' can't be the name of a payload: that is the name of a file, of at most 240 bytes, without control characters, '/' and '\\'"
    )]
    Name(String),
    /// What is to be written could not be read.
    #[error("can't read what is to be written: {0}")]
    PayloadRead(std::io::Error),
    /// It has not the length that its description says.
    #[error(
        "what is to be written should have {said} bytes, and has {found}: it changed meanwhile"
    )]
    PayloadLength {
        /// What its description says.
        said: u64,
        /// Its length; a byte more than said where it goes on.
        found: u64,
    },
    /// It is not what its description says.
    #[error(
        "what is to be written should have the digest {said}, and has {found}: it is something else"
    )]
    PayloadDigest {
        /// What its description says.
        said: Digest,
        /// What it has.
        found: Digest,
    },
    /// What was read could not be put anywhere.
    #[error("can't write what was read: {0}")]
    Keeping(std::io::Error),
    /// The tape file ends before the archive does.
    #[error("the archive is cut off: its tape file ends before it")]
    CutOff,
    /// The archive is no archive behind its description.
    #[error("the archive is damaged: {0}")]
    Damaged(&'static str),
    /// The payload is another one than was written.
    #[error("the payload is damaged: it should have the digest {expected}, and has {found}")]
    Digest {
        /// What was written.
        expected: Digest,
        /// What was read.
        found: Digest,
    },
}

impl Error {
    /// Whether it lies with what was to be written, and not with the drive.
    #[must_use]
    pub fn is_of_payload(&self) -> bool {
        matches!(
            self,
            Error::Name(_)
                | Error::PayloadRead(_)
                | Error::PayloadLength { .. }
                | Error::PayloadDigest { .. }
        )
    }
}

/// Why a tape file is not one of ours to read. The tape is behind it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Skipped {
    /// Somebody else wrote it.
    #[error("foreign: {why}")]
    Foreign {
        /// How that is known.
        why: String,
    },
    /// A later pseudotape wrote it.
    #[error("version {version} of the format, which a later pseudotape reads")]
    Newer {
        /// Of the format.
        version: u64,
    },
    /// Ours, and of a kind that this pseudotape does not know.
    #[error("of the kind '{kind}', which a later pseudotape may know")]
    UnknownKind {
        /// Its word.
        kind: String,
    },
    /// It says that it is ours, and its description is none.
    #[error("its description is damaged: {why}")]
    Malformed {
        /// What is wrong.
        why: String,
    },
    /// It ends within its description.
    #[error("cut off within its description")]
    CutOff,
    /// No block is in it.
    #[error("empty")]
    Empty,
}

/// What makes an error of a drive's failure to do this.
pub(crate) fn failed(action: &'static str) -> impl Fn(Failed) -> Error {
    move |failed| Error::Drive { action, failed }
}
