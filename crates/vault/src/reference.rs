//! References: which volumes of farms have copies of which files.

use pseudotape_image::Uuid;

use crate::serial::Serial;

/// A volume of a farm that files refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FarmVolume {
    /// Its serial number, which no other volume has.
    pub serial: Serial,
    /// Its place.
    pub place: FarmPlace,
    /// When it came into the catalog, in milliseconds after 1970.
    pub added_ms: u64,
}

/// Where a volume of a farm is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FarmPlace {
    /// Its name.
    pub name: String,
    /// The host whose farm it is in.
    pub host: String,
    /// The root of the farm there.
    pub root: String,
    /// Its folder in the root.
    pub folder: String,
}

/// What a command asks of the catalog for the volume that it writes.
#[derive(Clone, Debug)]
pub struct WantedVolume {
    /// Where it is.
    pub place: FarmPlace,
    /// The serial number that was said.
    pub serial: Option<Serial>,
    /// What of another volume with its name.
    pub namesakes: Namesakes,
}

/// Whether there may be volumes with the same name and other serial numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namesakes {
    /// None may be.
    Refused,
    /// They live beside each other.
    Allowed,
}

/// Which references a file gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds {
    /// One of its two for backups.
    pub backup: Option<Slots>,
    /// One of those to all its copies.
    pub archive: bool,
}

/// Which of the two references for backups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slots {
    /// The first one; what it was becomes the second one.
    First,
    /// Both are to the same volume.
    Both,
}

/// Whose file it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileName {
    /// A file of this host, by its whole path; or a title, which does not begin with a slash, of one that came from
    /// elsewhere.
    Path(Vec<u8>),
    /// The file that refers to this capsule.
    OfCapsule(Uuid),
}

/// Whether a file that the catalog has not comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// It does.
    Entered,
    /// It gets no reference.
    LeftOut,
}

/// A file of which a capsule is about to be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComingReference {
    /// Which file.
    pub file: FileName,
    /// Its title in the volume.
    pub title: Vec<u8>,
    /// The capsule.
    pub capsule: Uuid,
}

/// What became of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledReference {
    /// The title in the volume.
    pub title: Vec<u8>,
    /// The kinds of references that the file has now.
    pub kinds: Kinds,
}

/// A file that has references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferredFile {
    /// The host whose file it is.
    pub host: String,
    /// Its path, or its title where it came from elsewhere.
    pub path: Vec<u8>,
    /// When it was given up for its copies, in milliseconds after 1970.
    pub released_ms: Option<u64>,
    /// Its references: those for backups first, the newest of them before the other one.
    pub references: Vec<Reference>,
}

/// One reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Which one.
    pub kind: ReferenceKind,
    /// The volume.
    pub volume: FarmVolume,
    /// The title there.
    pub title: Vec<u8>,
    /// The capsule there.
    pub capsule: Uuid,
    /// Since when, in milliseconds after 1970.
    pub at_ms: u64,
}

/// Which kind of reference it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferenceKind {
    /// For a backup: the newest one, or the one before.
    Backup(u8),
    /// In the archive: there is one for each copy.
    Archive,
}

impl ReferenceKind {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            ReferenceKind::Backup(_) => "backup",
            ReferenceKind::Archive => "archive",
        }
    }
}

/// What was taken out of the catalog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// References.
    pub references: u64,
    /// Files that have none any more.
    pub files: u64,
}
