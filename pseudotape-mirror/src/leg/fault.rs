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
pub(crate) type Answer<T> = Result<T, Fault>;

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
    /// Its drive failed.
    #[error("{failed}{}", trouble_after_colon(.trouble))]
    Drive {
        /// What the drive said.
        failed: Failed,
        /// What it knows beyond that.
        trouble: Option<String>,
    },
    /// It is not where the others are, and can't be brought there.
    #[error("it can't be brought to object {object}: {failed}{}", trouble_after_colon(.trouble))]
    OutOfReach {
        /// Where the others are.
        object: ObjectNumber,
        /// What the drive said.
        failed: Failed,
        /// What it knows beyond that.
        trouble: Option<String>,
    },
    /// Its drive did only a part, and it is not full.
    #[error("it says that it took {took} of {asked} objects, and not why")]
    Short {
        /// Done.
        took: u64,
        /// Asked for.
        asked: u64,
    },
    /// It is full, and was to take this all the same.
    #[error("{missing} of {asked} objects did not fit behind object {behind}")]
    Full {
        /// What did not fit.
        missing: u64,
        /// Asked for.
        asked: u64,
        /// Where the first of them was to be written.
        behind: ObjectNumber,
    },
    /// Its tape is somewhere else than it should be after what it did.
    #[error("its tape is at {}, and should be at {}", place(.is), place(.should))]
    Elsewhere {
        /// Where it is.
        is: Position,
        /// Where it should be.
        should: Position,
    },
    /// No object can have a number as high as this.
    #[error("object {0} is the last that can be counted")]
    Uncountable(ObjectNumber),
    /// Its tape is somewhere else than that of another leg.
    #[error("its tape is at {}, that of leg {other} at {}", place(.is), place(.others))]
    Apart {
        /// Where it is.
        is: Position,
        /// The leg that is believed.
        other: String,
        /// Where that one's tape is.
        others: Position,
    },
    /// Its drive refuses what the drives of other legs do.
    #[error("its drive can't do what the others do")]
    Incapable,
    /// It did not lengthen a block that the others did.
    #[error("it can't lengthen a block as the others did")]
    NotLengthened,
    /// It lengthened a block that the others did not.
    #[error("a block that was lengthened can't be shortened again")]
    NotShortened,
    /// The block that the others have to go back to is not readable.
    #[error("its last block can't be read again")]
    NotReread,
    /// It still holds what the others did not take.
    #[error("it can't drop what the others did not take: {failed}")]
    NotDropped {
        /// What its drive said.
        failed: Failed,
    },
    /// It dropped what the others did not take, and its tape moved.
    #[error("it is elsewhere after dropping what the others did not take")]
    MovedByDropping,
    /// It still holds what the others did not take, and must be given away.
    #[error("it holds objects that the other legs did not take, and its drive can't erase them")]
    Surplus,
    /// Its mode is another one than that of the others.
    #[error("its mode can't be set back: {failed}")]
    Mode {
        /// What its drive said.
        failed: Failed,
    },
    /// The code of its drive ended in a panic.
    #[error("its drive panicked")]
    Panicked,
    /// Its volume says so itself.
    #[error("its volume is marked as not mirrored{}", from_object(.from))]
    Marked {
        /// The first object that it does not surely hold, where it matters.
        from: Option<ObjectNumber>,
    },
    /// Its volume holds something else than that of the leg that is right.
    #[error("differs from leg {trusted}: {difference}")]
    Differs {
        /// The leg that is right.
        trusted: String,
        /// Where they differ.
        difference: String,
    },
    /// It has more or fewer partitions than the leg that it is to be a copy of.
    #[error("it has {has} partitions, the leg in step {needs}: make them alike first")]
    Partitions {
        /// On its volume.
        has: u16,
        /// On the other one.
        needs: u16,
    },
    /// What it has too much is at its very end.
    #[error("what it has too much can't be erased: {failed}")]
    NotErased {
        /// What its drive said.
        failed: Failed,
    },
    /// Copying onto it failed.
    #[error("{error}{}", trouble_after_colon(.trouble))]
    Copy {
        /// Why.
        error: CopyError,
        /// What its drive knows beyond that.
        trouble: Option<String>,
    },
    /// It is too short for the volume.
    #[error("object {0} does not fit on it")]
    TooShort(ObjectNumber),
    /// The commit after copying found it full.
    #[error("it is full")]
    NoRoom,
    /// The leg that is copied from can't read this.
    #[error("object {0} can't be read from the leg in step")]
    SourceDamaged(ObjectNumber),
    /// Copying was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// After copying it is not where it should be.
    #[error("its tape is at object {is}, and should be at {should}")]
    WrongEnd {
        /// Where it is.
        is: ObjectNumber,
        /// Where it should be.
        should: u64,
    },
    /// It is a copy again, and its volume says that it is none.
    #[error("its volume is still marked as not mirrored: {error}")]
    StillMarked {
        /// Why the mark could not be taken away.
        error: Arc<VolumeError>,
    },
    /// The mark on its volume could not be changed.
    #[error("{error}")]
    NotMarked {
        /// Why.
        error: Arc<VolumeError>,
    },
    /// It could not be closed well.
    #[error("{error}")]
    NotClosed {
        /// Why.
        error: Arc<VolumeError>,
    },
    /// It could not be closed.
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
    /// Its name.
    pub leg: String,
    /// The first object that it does not surely hold.
    pub from: ObjectNumber,
    /// Why.
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
