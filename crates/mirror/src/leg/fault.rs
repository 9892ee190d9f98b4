//! Why a leg did not do what it was told, and why it is no copy.

use std::sync::Arc;

use pseudotape_copy::Error as CopyError;
use pseudotape_tape::{Failed, ObjectNumber, Position, VolumeError};

/// A failure of the drive of a leg.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// What the drive said.
    pub(crate) failed: Failed,
    /// What only the drive knows: the reason of its host, say.
    pub(crate) trouble: Option<String>,
    /// The object that the leg was to be brought to first, where that failed already.
    pub(crate) on_the_way_to: Option<ObjectNumber>,
}

/// What a leg answered to an operation that several legs were given.
pub(crate) type LegResult<T> = Result<T, Fault>;

impl From<Fault> for Cause {
    fn from(fault: Fault) -> Self {
        let Fault {
            failed,
            trouble,
            on_the_way_to,
        } = fault;
        match on_the_way_to {
            Some(object) => Cause::OutOfReach {
                object,
                failed,
                trouble,
            },
            None => Cause::Drive { failed, trouble },
        }
    }
}

/// Why a leg is no copy, or can't be made one.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// The drive of the leg failed.
    #[error("{failed}{}", trouble_after_colon(.trouble))]
    Drive {
        /// What the drive said.
        failed: Failed,
        /// What only the drive knows of the failure.
        trouble: Option<String>,
    },
    /// The tape is not where those of the other legs are, and can't be brought there.
    #[error("it can't be brought to object {object}: {failed}{}", trouble_after_colon(.trouble))]
    OutOfReach {
        /// Where the others are.
        object: ObjectNumber,
        /// What the drive said.
        failed: Failed,
        /// What only the drive knows of the failure.
        trouble: Option<String>,
    },
    /// The drive did only a part of what it was told, or more than that, and does not say why.
    #[error("it says that it took {took} of {asked} objects, and not why")]
    Short {
        /// So many objects were done.
        took: u64,
        /// So many objects were to be done.
        asked: u64,
    },
    /// The volume of a late leg is full, though the program was told that these objects are written.
    #[error("{missing} of {asked} objects did not fit behind object {behind}")]
    Full {
        /// So many objects did not fit.
        missing: u64,
        /// So many objects were to be written.
        asked: u64,
        /// The place where the first of them was to be written.
        behind: ObjectNumber,
    },
    /// After an operation the tape is at another place than it should be.
    #[error("its tape is at {}, and should be at {}", place(.is), place(.should))]
    Elsewhere {
        /// Where the tape is.
        is: Position,
        /// Where the tape should be.
        should: Position,
    },
    /// The drive says that its tape is behind the highest number that an object can have.
    #[error("object {0} is the last that can be counted")]
    Uncountable(ObjectNumber),
    /// The tape is at another place than the tape of another leg.
    #[error("its tape is at {}, that of leg {other} at {}", place(.is), place(.others))]
    Apart {
        /// Where the tape is.
        is: Position,
        /// The leg that is believed.
        other: String,
        /// Where the tape of the believed leg is.
        others: Position,
    },
    /// Something is to be written, and the volume can only be read.
    #[error("its volume is {why}")]
    ReadOnly {
        /// Why, in words that follow "it is".
        why: &'static str,
    },
    /// Nobody finds the volume once it is closed.
    #[error("{error}")]
    Unfindable {
        /// Why, and where what it holds can be copied.
        error: Arc<VolumeError>,
    },
    /// Nobody finds the volume, and it is closed.
    #[error("its file was removed while it was in the mirror, and is closed now")]
    Gone,
    /// The drive refuses what the drives of other legs do.
    #[error("its drive can't do what the others do")]
    Incapable,
    /// The drive did not lengthen a block that the others lengthened.
    #[error("it can't lengthen a block as the others did")]
    NotLengthened,
    /// The drive lengthened a block that some other leg had no room to lengthen.
    #[error("a block that was lengthened can't be shortened again")]
    NotShortened,
    /// The block that the others have to go back to is not readable.
    #[error("its last block can't be read again")]
    NotReread,
    /// The volume still holds objects that the others did not take.
    #[error("it can't drop what the others did not take: {failed}")]
    NotDropped {
        /// What the drive said.
        failed: Failed,
    },
    /// The drive erased what the others did not take, and its tape moved.
    #[error("it is elsewhere after dropping what the others did not take")]
    MovedByDropping,
    /// The volume still holds objects that the others did not take, and is to be closed.
    #[error("it holds objects that the other legs did not take, and its drive can't erase them")]
    Surplus,
    /// The mode of the drive is not that of the others.
    #[error("its mode can't be set back: {failed}")]
    Mode {
        /// What the drive said.
        failed: Failed,
    },
    /// A record could not wait in the queue.
    #[error("there was no memory for what waits in its queue")]
    NoMemory,
    /// The code of the drive ended in a panic.
    #[error("its drive panicked")]
    Panicked,
    /// The volume was marked as no copy before it was put in.
    #[error("its volume is marked as not mirrored{}", from_object(.from))]
    Marked {
        /// The first object that the volume does not surely hold, if the text is to say that.
        from: Option<ObjectNumber>,
    },
    /// The volume holds something else than that of the leg which the operator trusts.
    #[error("differs from leg {trusted}: {difference}")]
    Differs {
        /// The leg that the operator trusts.
        trusted: String,
        /// Where they differ.
        difference: String,
    },
    /// The volume has more or fewer partitions than the one that is copied.
    #[error("it has {has} partitions, the leg in step {needs}: make them alike first")]
    Partitions {
        /// Partitions of this volume.
        has: u16,
        /// Partitions of the volume that is copied.
        needs: u16,
    },
    /// The volume holds more than the one that is copied, and the drive can't erase that.
    #[error("what it has too much can't be erased: {failed}")]
    NotErased {
        /// What the drive said.
        failed: Failed,
    },
    /// Copying onto the volume failed.
    #[error("{error}{}", trouble_after_colon(.trouble))]
    Copy {
        /// Why.
        error: CopyError,
        /// What its drive knows beyond that.
        trouble: Option<String>,
    },
    /// The volume is too short for what is copied.
    #[error("object {0} does not fit on it")]
    TooShort(ObjectNumber),
    /// The commit after copying found the volume full.
    #[error("it is full")]
    NoRoom,
    /// The leg that is copied from can't read this.
    #[error("object {0} can't be read from the leg in step")]
    SourceDamaged(ObjectNumber),
    /// The volume may hold what the leg that is copied from can't read, and copying would overwrite it.
    #[error(
        "object {object} of partition {partition} can't be read from leg {leg}, and copying would drop it here: no object was changed (unload, then save what each volume holds with 'pseudotape copy --damaged record')"
    )]
    OnlyHere {
        /// The first such object.
        object: ObjectNumber,
        /// Its partition.
        partition: u8,
        /// The leg that can't read it.
        leg: String,
    },
    /// The mirror is told to end.
    #[error(
        "the mirror ends before the resync is done: the leg stays out of step, and another resync copies what is still missing"
    )]
    Cancelled,
    /// After copying the tape is not where it should be.
    #[error("its tape is at object {is}, and should be at {should}")]
    WrongEnd {
        /// Where the tape is.
        is: ObjectNumber,
        /// Where the tape should be.
        should: u64,
    },
    /// The volume is a copy again, and its mark still says that it is none.
    #[error("its volume is still marked as not mirrored: {error}")]
    StillMarked {
        /// Why the mark could not be taken away.
        error: Arc<VolumeError>,
    },
    /// The mark on the volume could not be changed.
    #[error("{error}")]
    NotMarked {
        /// Why.
        error: Arc<VolumeError>,
    },
    /// The volume does not keep what programs keep beside the data, and those of other legs do.
    #[error("it does not keep the attributes of programs: {error}")]
    AttributesNotKept {
        /// Why.
        error: Arc<VolumeError>,
    },
    /// The volume could not be closed without an error.
    #[error("{error}")]
    NotClosed {
        /// Why.
        error: Arc<VolumeError>,
    },
    /// The volume could not be closed at all.
    #[error("a thread of the leg still uses it")]
    InUse,
}

impl Cause {
    /// A failure of a drive that knows nothing beyond what it said.
    pub(crate) fn failed(failed: Failed) -> Self {
        Cause::Drive {
            failed,
            trouble: None,
        }
    }

    /// Adds what the drive knows beyond what it said.
    pub(crate) fn with_trouble(mut self, text: Option<String>) -> Self {
        if let Cause::Drive { trouble, .. } | Cause::Copy { trouble, .. } = &mut self {
            *trouble = trouble.take().or(text);
        }
        self
    }
}

impl From<Failed> for Cause {
    fn from(failed: Failed) -> Self {
        Cause::failed(failed)
    }
}

impl From<CopyError> for Cause {
    fn from(error: CopyError) -> Self {
        Cause::Copy {
            error,
            trouble: None,
        }
    }
}

/// A leg that is no copy from an object on, or can't be made one.
#[derive(Clone, Debug, thiserror::Error)]
#[error("leg {leg}: {cause}")]
pub struct LegFailure {
    /// The name of the leg.
    pub leg: String,
    /// The first object that the leg does not surely hold.
    pub from: ObjectNumber,
    /// Why the leg is no copy.
    pub cause: Box<Cause>,
}

fn trouble_after_colon(trouble: &Option<String>) -> String {
    let text = trouble.as_ref();
    text.map_or_else(String::new, |text| format!(": {text}"))
}

fn place(at: &Position) -> String {
    format!("object {} of partition {}", at.object, at.partition)
}

fn from_object(from: &Option<ObjectNumber>) -> String {
    from.map_or_else(String::new, |from| format!(" from object {from} on"))
}
