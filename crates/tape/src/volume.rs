//! An opened volume: what every holder of a drive needs to know beside the drive's operations.

use std::error::Error;
use std::fmt;

use crate::attributes::Attributes;
use crate::drive::Drive;
use crate::motion::WriteMode;
use crate::numbers::{ObjectNumber, PartitionNumber, Position};
use crate::outcome::{Done, Failed, Sense};

/// Identity of a volume; every format of a medium makes a new one. Text form: as a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VolumeId(pub uuid::Uuid);

impl fmt::Display for VolumeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a volume says of itself. What it has no place for is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeIdentity {
    /// Its identity.
    pub id: Option<VolumeId>,
    /// Its label; may be empty.
    pub label: String,
    /// Its barcode; may be empty.
    pub barcode: String,
    /// Rises with each commit of a change, on this medium alone: two looks that differ in it saw the volume before and
    /// after a change.
    pub generation: Option<u64>,
}

/// What a volume says of its being a copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Noted {
    /// The volume has no place for such a note.
    #[default]
    NoPlace,
    /// No object is missing.
    Mirrored,
    /// From this object on the volume is no copy.
    NotMirroredFrom(ObjectNumber),
}

/// What a volume is opened for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// For reading: everything that writes is [`Sense::WriteProtected`]. Several may read an image at once.
    ReadOnly,
    /// For reading and writing. Of an image: nobody else has it open.
    #[default]
    ReadWrite,
}

/// Whether a volume can be written at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writability {
    /// Nothing forbids it.
    Writable,
    /// Its drive says nothing against it and can't say more, as a tape node of which no request tells whether its
    /// medium is WORM: only a write tells.
    Untried,
    /// What is recorded can't be overwritten (WORM): only a write at the end of data is taken.
    AppendOnly,
    /// The volume was opened for reading: because its holder asked for that, or because the host allows no more.
    OpenedReadOnly,
    /// The write-protect switch of the cartridge is on, or its drive says that it is write protected.
    Protected,
    /// Data that were committed are not there any more. What is left can be read; a write would hide the loss, and is
    /// refused until somebody accepts it.
    DataMissing,
    /// There is no medium, or the drive can't be asked.
    Unknown,
}

impl Writability {
    /// Why every write is refused, in words that follow "it is"; `None` where that is not known to be so.
    ///
    /// A drive whose volume has a reason here says in its [`Mode`](crate::Mode) that the medium is write protected,
    /// and answers each change with [`Sense::WriteProtected`].
    #[must_use]
    pub fn refusal(self) -> Option<&'static str> {
        match self {
            Writability::OpenedReadOnly => Some("opened for reading only"),
            Writability::Protected => Some("write protected"),
            Writability::DataMissing => Some(
                "write protected, since committed data are missing: 'pseudotape accept-loss' lets it be written",
            ),
            Writability::Writable
            | Writability::Untried
            | Writability::AppendOnly
            | Writability::Unknown => None,
        }
    }

    /// Whether every write is refused, as far as is known.
    #[must_use]
    pub fn is_read_only(self) -> bool {
        self.refusal().is_some()
    }
}

/// Why a volume could not be closed, or a note could not be written on it. Its text names the volume where the
/// volume's kind knows a name.
#[derive(Debug)]
pub struct VolumeError(Box<dyn Error + Send + Sync>);

impl VolumeError {
    /// From the cause.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        VolumeError(cause.into())
    }
}

impl fmt::Display for VolumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for VolumeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// Why attributes are not given, or not taken.
#[derive(Debug)]
pub enum AttributesError {
    /// The volume has no place for them. A mirror has none where one of its required legs has none.
    NoPlace,
    /// They are longer than their place.
    TooLong(VolumeError),
    /// The medium has no such partition.
    NoPartition,
    /// The volume can't be written.
    Protected,
    /// What was written last is not known any more. Writing some makes it known again.
    Damaged {
        /// Those that are known all the same.
        left: Attributes,
        /// What is wrong.
        error: VolumeError,
    },
    /// There is no medium, or the drive failed. What is kept is what was kept before, or what was to be written.
    Failed(VolumeError),
}

impl fmt::Display for AttributesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AttributesError::NoPlace => f.write_str("the volume has no place for attributes"),
            AttributesError::NoPartition => f.write_str("the volume has no such partition"),
            AttributesError::Protected => f.write_str("the volume is write protected"),
            AttributesError::TooLong(error)
            | AttributesError::Damaged { error, .. }
            | AttributesError::Failed(error) => error.fmt(f),
        }
    }
}

impl Error for AttributesError {}

/// A volume that was opened: a drive with a medium in it, and what the holder of the drive needs beside the operations.
///
/// No method has a default: an adaptor that forgets one does not compile.
pub trait Volume: Drive {
    /// Takes the text of the last trouble: what a sense can't say. Each trouble is told once.
    fn take_trouble(&mut self) -> Option<String>;

    /// Records a block that could not be read where it was copied from; reading it here is a medium error.
    ///
    /// `length_bytes` is its length there, 0 where that is not known; it counts as that much of the capacity. Early
    /// warning and physical end as for [`Drive::write`]. A volume that has no such record answers
    /// [`Sense::IllegalRequest`] and is unchanged.
    fn record_unreadable(&mut self, length_bytes: u32) -> Result<Done, Failed>;

    /// What is noted on the volume about its being a copy. Moves nothing.
    fn noted(&self) -> Noted;

    /// Notes on the volume that it is no copy from an object on, or (`None`) that it is a copy again. `false` where
    /// the volume has no place for that.
    fn note_not_mirrored(&mut self, from: Option<ObjectNumber>) -> Result<bool, VolumeError>;

    /// Where the tape is, as far as that is known without asking the drive. Never blocks.
    fn known_position(&self) -> Option<Position>;

    /// What the volume says of itself.
    fn volume_identity(&self) -> VolumeIdentity;

    /// Whether the volume can be written at all. Asks the drive where only the drive knows.
    fn writability(&mut self) -> Writability;

    /// What programs keep beside the data of a partition. Moves nothing.
    ///
    /// | condition | result |
    /// |---|---|
    /// | some were set | those that were set last |
    /// | none were set since the volume was made | none |
    /// | the volume has no place for them | [`AttributesError::NoPlace`] |
    /// | no such partition | [`AttributesError::NoPartition`] |
    /// | it is not known what was set last | [`AttributesError::Damaged`], never other ones |
    fn attributes(&mut self, partition: PartitionNumber) -> Result<Attributes, AttributesError>;

    /// Keeps these beside the data of a partition, in the place of all that were kept there. They are on stable
    /// storage when this returns, and so is what was written before. Moves nothing.
    ///
    /// They stay whatever is written or erased, as long as the volume is the same one. Where this fails, those of
    /// before are kept or these.
    fn set_attributes(
        &mut self,
        partition: PartitionNumber,
        attributes: &Attributes,
    ) -> Result<(), AttributesError>;

    /// Why nobody finds the volume once it is closed, and how what it holds can still be copied: its file was removed
    /// while it was open, for instance. `None` where it is not known to be so. Asks no drive.
    fn lost_when_closed(&mut self) -> Option<VolumeError>;

    /// Brings everything to stable storage and closes the volume.
    ///
    /// Without this an image is left as a crash of the program leaves it: nothing written is lost. After an error
    /// what was committed before is on the volume.
    fn finish(self: Box<Self>) -> Result<(), VolumeError>;
}

/// Unit attentions that may wait in a drive one behind the other.
const ATTENTIONS_MAX: u32 = 4;

/// Fetches pending unit attentions, so that the next operation is not told of them.
pub fn make_ready(drive: &mut dyn Drive) -> Result<(), Failed> {
    for _ in 0..ATTENTIONS_MAX {
        match drive.test_ready() {
            Err(failed) if matches!(failed.sense, Sense::MediumChanged | Sense::Reset) => {}
            other => return other,
        }
    }
    drive.test_ready()
}

/// What [`Volume::finish`] does for a drive whose medium is not ours to close: commits what was written.
///
/// An unloaded medium was committed by its unload, and a protected one has nothing to commit.
pub fn commit_before_end(drive: &mut dyn Drive) -> Result<(), Failed> {
    match make_ready(drive) {
        Err(failed) if matches!(failed.sense, Sense::NoMedium | Sense::NotReady) => return Ok(()),
        // The commit says what is wrong.
        Ok(()) | Err(_) => {}
    }
    match drive.write_marks(crate::Mark::Filemark, 0, WriteMode::Commit) {
        Err(failed) if failed.sense != Sense::WriteProtected => Err(failed),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// What a drive whose mode can be asked says of its medium.
pub fn writability_by_mode(drive: &mut dyn Drive) -> Writability {
    match drive.mode() {
        Ok(mode) if mode.write_protected => Writability::Protected,
        Ok(_) => Writability::Untried,
        Err(_) => Writability::Unknown,
    }
}
