//! Where files come from.

pub(crate) mod acl;
mod archive;
mod arriving;
pub(crate) mod attributes;
mod capsule;
mod file;
pub(crate) mod keyword;
mod sending;
pub(crate) mod sparse;
mod tree;

use std::io;
use std::path::PathBuf;

use pseudotape_pax::Member;
use uuid::Uuid;

use crate::capsule::capsule_name;
use crate::entry::{Digest, Entry, FileKind, Stamp, State};
use crate::error::Fault;
use crate::step::Steps;
use crate::title::{Title, VolumeName};

pub(crate) use archive::{Prepared, Sorted, sorted};
pub use arriving::{Announced, Arriving, Sent};
pub(crate) use arriving::{Arrival, pass};
pub(crate) use capsule::OfCapsule;
pub(crate) use file::OfFolder;
pub use sending::{FoundFile, Outgoing, Walk, Walked};
pub(crate) use tree::{Met, Tree};

/// The extended attributes with generation and version.
pub(crate) const GENERATION: &str = "user.vault.cycle";
pub(crate) const VERSION: &str = "user.vault.version";

/// Where a file came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A file of this host, with its whole path.
    Path(PathBuf),
    /// The capsule with this identity, of another volume.
    Capsule(Uuid),
    /// An archive, or another host.
    Elsewhere,
}

/// A file that can be added.
pub(crate) trait Offered {
    /// Its title.
    fn title(&self) -> &Title;

    /// What it is.
    fn kind(&self) -> FileKind;

    /// Which one of its title it is.
    fn stamp(&self) -> Stamp;

    /// Its length, which is not that of the member's contents where it has holes.
    fn length(&self) -> u64;

    /// Its attributes, and the length of the contents that follow.
    fn member(&self) -> &Member;

    /// What a volume says of it that has it already.
    fn state(&self) -> State {
        State::Ok
    }

    /// What somebody noted about it there.
    fn note(&self) -> Option<String> {
        None
    }

    /// Where it came from.
    fn origin(&self) -> Origin {
        Origin::Elsewhere
    }

    /// What its contents have to have, where somebody knows it.
    fn digest(&self) -> Option<Digest> {
        None
    }

    /// Reads of the contents; 0 at their end.
    fn read(&mut self, buffer: &mut [u8], steps: &Steps) -> io::Result<usize>;

    /// After the reading: whether the file is another one than it was before.
    fn has_changed(&self) -> io::Result<bool>;

    /// Begins again, with what the file is now; `false` where it can't be read twice.
    fn again(&mut self) -> Result<bool, NotOffered>;
}

/// An error of a reader: who gives the files is gone, and nothing can be said of the file at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection was cut")]
pub struct Gone;

impl Gone {
    /// Whether this is why a reading failed, of a file or of the archive around it.
    pub(crate) fn is_why(error: &io::Error) -> bool {
        let Some(inner) = error.get_ref() else {
            return false;
        };
        match inner.downcast_ref() {
            Some(pseudotape_pax::Error::Read(error)) => Gone::is_why(error),
            Some(_) => false,
            None => inner.is::<Gone>(),
        }
    }
}

impl From<Gone> for io::Error {
    fn from(gone: Gone) -> Self {
        io::Error::new(io::ErrorKind::ConnectionAborted, gone)
    }
}

/// Why a file is not added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotOffered {
    /// It can't be opened or looked at.
    #[error("{0}")]
    Host(String),
    /// It is of a kind that is not kept.
    #[error("it is {0}, which is not kept")]
    Kind(&'static str),
    /// Its name can't be a title.
    #[error("its path is longer than 4095 bytes")]
    LongPath,
    /// Its name in an archive leads out of a folder.
    #[error("its name in the archive leads out of its folder")]
    LeadsOut,
    /// Its generation or version is none.
    #[error("its attribute {name} is '{value}', and should be a number")]
    Number {
        /// Which attribute.
        name: &'static str,
        /// Its value.
        value: String,
    },
    /// Another file has its title.
    #[error("another file of this command has the same title")]
    SameTitle,
    /// It is the volume itself.
    #[error("it is the folder of the volume itself")]
    Itself,
    /// Another name of a member of an archive.
    #[error(
        "it is a hard link in the archive to '{0}': only a name with the contents can be added"
    )]
    HardLink(String),
    /// Its capsule can't be used, or has no file.
    #[error("{0}")]
    Capsule(String),
    /// It stands in the archive in a way that is not read.
    #[error("{0}")]
    Archive(String),
}

impl NotOffered {
    pub(crate) fn host(error: impl Into<io::Error>) -> Self {
        NotOffered::Host(error.into().to_string())
    }
}

/// A path that was not added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Which one.
    pub path: PathBuf,
    /// Why.
    pub why: NotOffered,
}

impl LeftOut {
    /// A file whose capsule in another volume has none.
    #[must_use]
    pub fn not_on(volume: &VolumeName, entry: &Entry) -> Self {
        let state = entry.state.word();
        LeftOut::capsule(entry, format!("not on {volume}: {state}"))
    }

    /// A file whose capsule in another volume is damaged.
    #[must_use]
    pub fn damaged(volume: &VolumeName, entry: &Entry, fault: &Fault) -> Self {
        let name = capsule_name(entry.number);
        LeftOut::capsule(entry, format!("{name} of {volume} is damaged: {fault}"))
    }

    fn capsule(entry: &Entry, why: String) -> Self {
        LeftOut {
            path: entry.title.path(),
            why: NotOffered::Capsule(why),
        }
    }
}
