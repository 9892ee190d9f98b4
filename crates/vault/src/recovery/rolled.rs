//! What is found beside the catalog: on tapes, and on the vault's own disk.

use std::path::PathBuf;

use pseudotape_image::VolumeId;

use super::loss::DiskImage;
use crate::event::Order;
use crate::label::Label;
use crate::pool::ArchiveCopy;
use crate::state::Category;
use crate::volume::TapeFile;

/// A volume as the describing member of a whole copy on a tape says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rolled {
    /// Its own.
    pub identity: VolumeId,
    /// What people called it.
    pub label: Label,
    /// What it was for.
    pub category: Category,
    /// How often it had been written.
    pub generation: u64,
    /// When that generation was closed, in milliseconds after 1970.
    pub closed_ms: u64,
    /// What is on it.
    pub files: Vec<TapeFile>,
    /// The copy itself, where the catalog can say where it is.
    pub copy: Option<ArchiveCopy>,
}

/// A volume that somebody has removed, as the log says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Its own. Earlier programs did not write it down.
    pub identity: Option<VolumeId>,
    /// What people called it then.
    pub label: Option<Label>,
    /// How often it had been written, where the identity is known.
    pub generation: Option<u64>,
    /// When, in milliseconds after 1970.
    pub at_ms: u64,
    /// By whom, and why.
    pub order: Order,
}

impl Removal {
    /// Whether a copy of a volume, which the catalog has not, is one of this volume from before it was removed. One
    /// that was written later says that the volume was in the vault again.
    #[must_use]
    pub fn covers(&self, identity: VolumeId, generation: u64, closed_ms: u64) -> bool {
        self.identity == Some(identity)
            && self.generation.is_some_and(|last| generation <= last)
            && closed_ms <= self.at_ms
    }
}

/// The image of a volume in the vault's own directory, compared with what the catalog says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survivor {
    /// The volume.
    pub identity: VolumeId,
    /// What people call it.
    pub label: Label,
    /// The file.
    pub path: PathBuf,
    /// What it counts as; nothing where it is damaged, or another volume.
    pub state: Option<DiskImage>,
    /// Why it is no copy, in words.
    pub fault: Option<String>,
}

/// A file in the vault's directory of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelved {
    /// The file.
    pub path: PathBuf,
    /// The volume that it is; nothing where it can't be read as an image.
    pub identity: Option<VolumeId>,
    /// What the catalog calls it, else what it calls itself; may be empty.
    pub label: String,
    /// Whether the catalog knows the volume.
    pub is_known: bool,
}

impl Shelved {
    pub(crate) fn unreadable(path: PathBuf) -> Self {
        Shelved {
            path,
            identity: None,
            label: String::new(),
            is_known: false,
        }
    }
}
