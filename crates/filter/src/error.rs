use std::io;
use std::path::PathBuf;

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
    /// No memory for it.
    #[error("it is a block of {length} bytes: more memory than there is")]
    Memory {
        /// Its length.
        length: u32,
    },
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
    /// What is in the file is no key.
    #[error(
        "{path}: no key: it has 32 bytes, or 64 hexadecimal digits ('openssl rand -hex 32 >KEYFILE' makes one)"
    )]
    NoKey {
        /// The file.
        path: PathBuf,
    },
}
