//! What is found beside the catalog: on tapes, and on the vault's own disk.

use std::path::PathBuf;

use pseudotape_image::VolumeId;

use super::loss::DiskImage;
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
    /// What is on it.
    pub files: Vec<TapeFile>,
    /// The copy itself, where the catalog can say where it is.
    pub copy: Option<ArchiveCopy>,
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
