//! What catalog and directory say differently.

use std::path::PathBuf;

use crate::label::Label;
use crate::words::words;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// The catalog itself is damaged.
    DamagedCatalog,
    /// The directory of images is gone.
    MissingDirectory,
    /// The image of a volume is gone.
    MissingImage,
    /// The catalog knows nothing of an image.
    UnknownImage,
    /// Something in the directory of images is no image.
    StrangeFile,
    /// The image of a volume is that of another one.
    OtherVolume,
    /// The image of a volume can't be read at all.
    UnreadableImage,
    /// Somebody wrote the image, and the catalog was not told.
    Changed,
    /// The image is of before: the catalog knows of writings after it.
    OlderImage,
    /// The catalog says that a drive has the volume, and none has it.
    LeftOpen,
    /// Committed data of the image are gone.
    DataMissing,
    /// A tape file can't be read, or has another digest than it had.
    BadFile,
}

words!(FindingKind, "kind of a finding": DamagedCatalog = "damaged-catalog",
    MissingDirectory = "missing-directory", MissingImage = "missing-image",
    UnknownImage = "unknown-image", StrangeFile = "strange-file", OtherVolume = "other-volume",
    UnreadableImage = "unreadable-image", Changed = "changed",
    OlderImage = "older-image", LeftOpen = "left-open", DataMissing = "data-missing",
    BadFile = "bad-file");

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// With which volume.
    pub label: Option<Label>,
    /// With which image.
    pub image: Option<PathBuf>,
    /// With which tape file.
    pub file: Option<u64>,
    /// What was found, in words.
    pub found: String,
}

impl Finding {
    /// What was found, with the tape file where it is of one.
    #[must_use]
    pub fn words(&self) -> String {
        match self.file {
            Some(file) => format!("tape file {file}: {}", self.found),
            None => self.found.clone(),
        }
    }
}
