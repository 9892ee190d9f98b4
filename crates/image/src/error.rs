use std::io;
use std::path::PathBuf;

use pseudotape_tape::ObjectInFile;

use crate::report::{Gap, Missing};

/// Why what was written to an image is not found where the image was opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Absence {
    /// No name leads to the file: it goes when it is closed.
    #[error(
        "the image was removed, or replaced by another file, while it was loaded; as long as it is loaded, its data can \
         be copied from {copy}"
    )]
    Removed {
        /// Where the data can be read.
        copy: PathBuf,
    },
    /// The name leads elsewhere, and no new name of the file is known.
    #[error(
        "the image lost this name while it was loaded; another name may lead to it (inode {inode}); as long as it is \
         loaded, its data can be copied from {copy}"
    )]
    NameLost {
        /// The file's number in its file system.
        inode: u64,
        /// Where the data can be read.
        copy: PathBuf,
    },
    /// Somebody cut the file.
    #[error(
        "the image was cut to {length} bytes while it was loaded, {end} were written: unload it, and verify what is left"
    )]
    Cut {
        /// How long it is.
        length: u64,
        /// Where the data ended.
        end: u64,
    },
}

/// Why an operation on an image failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file does not begin as an image does.
    #[error("not a pseudotape image: no header at byte 0, and no copy at byte {copy_offset}")]
    NotAnImage {
        /// Where the copy was looked for.
        copy_offset: u64,
    },
    /// Both copies of the header fail their check.
    #[error("image header is damaged, and so is its copy at byte {copy_offset}")]
    HeaderDamaged {
        /// Where the copy lies.
        copy_offset: u64,
    },
    /// A header field has a value that can't be.
    #[error("image header: {field} is {value}, {allowed}")]
    HeaderValue {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// What it may be.
        allowed: &'static str,
    },
    /// Written by a later format than this program knows.
    #[error(
        "image has format version {found}, this program reads up to {supported}: use a newer pseudotape"
    )]
    NewerVersion {
        /// Major version found.
        found: u16,
        /// Major version supported.
        supported: u16,
    },
    /// Uses features that this program does not know.
    #[error(
        "image uses features {bits:#x} that this program does not know: use a newer pseudotape"
    )]
    UnknownFeatures {
        /// The unknown bits of the incompatible features.
        bits: u64,
    },
    /// Uses features that this program may only read beside.
    #[error(
        "image uses features {bits:#x} that this program does not know: open it read-only, or use a newer pseudotape"
    )]
    ReadOnlyFeatures {
        /// The unknown bits of the read-only compatible features.
        bits: u64,
    },
    /// Another process, or another drive of this one, has the image open.
    #[error("{path}: image is in use by another drive or program: unload it there first")]
    InUse {
        /// The image file.
        path: PathBuf,
    },
    /// The image file could not be opened or made.
    #[error("{path}: can't {action} the image: {source}")]
    Unopenable {
        /// The image file.
        path: PathBuf,
        /// Open or create.
        action: &'static str,
        /// The host's reason.
        source: io::Error,
    },
    /// A name that belongs to the volume leads to something that is not the volume's.
    #[error(
        "{path}: this file is not of the volume that is loaded: nothing was changed; move the file away, or load the \
        volume anew"
    )]
    NotOwn {
        /// The name.
        path: PathBuf,
    },
    /// The image was handed over without a name, so that no partition can be put beside it.
    #[error("{path}: no name leads to this image: load it by its name")]
    Nameless {
        /// What it is called in messages.
        path: PathBuf,
    },
    /// What was written is not where the image was opened. Nothing can be committed any more.
    #[error("{path}: {absence}")]
    Absent {
        /// The image file.
        path: PathBuf,
        /// What became of it.
        absence: Absence,
    },
    /// The image is open for reading only.
    #[error("image is open for reading only")]
    ReadOnly,
    /// The image is write protected.
    #[error("image is write protected")]
    WriteProtected,
    /// Data that were committed are not there any more. A write would hide that.
    #[error(
        "{missing}: the image is write protected until 'pseudotape accept-loss' lets it be written"
    )]
    DataMissing {
        /// What is missing.
        missing: Missing,
    },
    /// The host has no room (disk full or quota used up). Nothing was appended.
    #[error(
        "no room on the host's disk for {wanted_bytes} bytes at byte {offset} of the image: {source}"
    )]
    HostFull {
        /// Where it should have gone.
        offset: u64,
        /// How much.
        wanted_bytes: u64,
        /// The host's reason.
        source: io::Error,
    },
    /// The host failed.
    #[error("host error: {action} at byte {offset} of the image: {source}")]
    Host {
        /// Read, write, truncate or commit.
        action: &'static str,
        /// Where.
        offset: u64,
        /// The host's reason.
        source: io::Error,
    },
    /// An earlier commit failed: what the host kept of it can't be known before the image is opened anew.
    #[error(
        "an earlier commit failed, objects from {from_object} on may be lost: unload the image and verify it"
    )]
    CommitFailed {
        /// The first object not known to be on stable storage.
        from_object: u64,
    },
    /// A block's payload fails its check. The tape is behind the block.
    #[error("{at} is damaged: {length} bytes at byte {offset} of the image fail their check")]
    DamagedPayload {
        /// The block.
        at: Box<ObjectInFile>,
        /// Where its payload begins.
        offset: u64,
        /// Its length.
        length: u32,
    },
    /// A block recorded as unreadable where it was copied from. The tape is behind it.
    #[error("{at} was already unreadable when it was recorded; its length is {length} bytes")]
    BadBlock {
        /// The block.
        at: Box<ObjectInFile>,
        /// Its length, where it was known (else 0).
        length: u64,
    },
    /// Frames are damaged. The tape is behind the gap.
    #[error("{at} is damaged: {gap}")]
    DamagedFrame {
        /// The first object that is lost.
        at: Box<ObjectInFile>,
        /// What is lost.
        gap: Gap,
    },
    /// A block of a length that no image can hold.
    #[error("block of {length} bytes: an image holds blocks of 1 to {max} bytes")]
    BlockLength {
        /// Length asked for.
        length: u64,
        /// Longest.
        max: u32,
    },
    /// Several blocks of one size asked for, but the buffer is not a multiple of it.
    #[error("{length} bytes are not a whole number of blocks of {block_size}")]
    NotWholeBlocks {
        /// Length of the buffer.
        length: u64,
        /// Size of a block.
        block_size: u32,
    },
    /// More marks than the format can number.
    #[error("an image holds at most {max} marks of a kind")]
    TooManyMarks {
        /// Most.
        max: u32,
    },
    /// There is no block just written that could be lengthened.
    #[error("the last operation was not the writing of a block, it can't be lengthened")]
    NotExtendable,
    /// Neither area of attributes is whole.
    #[error(
        "the attributes of programs are damaged, at bytes {} and {} of the image: the data are not; writing attributes \
         anew makes them whole", offsets[0], offsets[1]
    )]
    AttributesDamaged {
        /// Where the areas are.
        offsets: [u64; 2],
    },
    /// Attributes are longer than their place.
    #[error("attributes of programs: a partition holds at most {max} bytes of them")]
    AttributesTooLong {
        /// Most bytes, with 6 for each attribute.
        max: u64,
    },
    /// One of the two copies of the header is not whole, so that nothing may be written beside the other one.
    #[error(
        "the header at byte {offset} of the image is damaged, so attributes are not written beside the only whole one: \
         'pseudotape copy' makes a whole image of this one"
    )]
    HeaderCopyDamaged {
        /// Where the damaged one is.
        offset: u64,
    },
    /// A text does not fit.
    #[error("{what} of {length} bytes: at most {max}, and no NUL")]
    TextLength {
        /// Label or barcode.
        what: &'static str,
        /// Its length.
        length: u64,
        /// Longest.
        max: u64,
    },
}

impl Error {
    /// Names the host's failure: full, or failed.
    pub(crate) fn host(
        action: &'static str,
        offset: u64,
        wanted_bytes: u64,
        source: io::Error,
    ) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::HostFull {
                offset,
                wanted_bytes,
                source,
            },
            _ => Error::Host {
                action,
                offset,
                source,
            },
        }
    }

    /// Whether nobody finds the image where it was opened, while its data can still be read as long as it is open.
    #[must_use]
    pub fn is_lost_when_closed(&self) -> bool {
        let Error::Absent { absence, .. } = self else {
            return false;
        };
        match absence {
            Absence::Removed { .. } | Absence::NameLost { .. } => true,
            Absence::Cut { .. } => false,
        }
    }

    /// Whether the medium (and not the host or the caller) is at fault: reading can go on behind it.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Error::DamagedPayload { .. } | Error::BadBlock { .. } | Error::DamagedFrame { .. }
        )
    }

    /// Whether its text begins with the path of the image.
    #[must_use]
    pub fn names_its_file(&self) -> bool {
        matches!(
            self,
            Error::InUse { .. }
                | Error::Unopenable { .. }
                | Error::NotOwn { .. }
                | Error::Nameless { .. }
                | Error::Absent { .. }
        )
    }

    /// Whether only the writing was refused, by the host or by what this program knows of the format: the image can
    /// perhaps be opened for reading.
    #[must_use]
    pub fn leaves_reading(&self) -> bool {
        match self {
            Error::Unopenable { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ),
            Error::ReadOnlyFeatures { .. } => true,
            _ => false,
        }
    }
}
