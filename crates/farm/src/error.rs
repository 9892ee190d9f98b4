use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User, geteuid};

use crate::directory::DirectoryError;
use crate::entry::{Number, RecordError};
use crate::holder::Holder;
use crate::standing::HOST_FLAG;
use crate::title::{Title, VolumeName};

/// Why something could not be done with a farm.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The root is not there. It is never made: it may be a file system that is not mounted.
    #[error("there is no folder {root}: the root of a farm has to be there ('mkdir', or mount it)")]
    NoRoot {
        /// Where it should be.
        root: PathBuf,
    },
    /// No volume has the name.
    #[error("there is no volume {volume} in {root}: 'pseudotape farm ls' shows those that are")]
    NoVolume {
        /// The name.
        volume: VolumeName,
        /// Where it was looked for.
        root: PathBuf,
    },
    /// A copy makes a new volume, and there is one. The words are those of the source of the rule.
    #[error(
        "Files may be added to {0}, but not copied, as a Volume called {0} already exists ('pseudotape farm add' adds)"
    )]
    Exists(VolumeName),
    /// A volume of that name would be taken for something else.
    #[error("no volume can be called {volume}: {why}; say another name")]
    Reserved {
        /// The name.
        volume: VolumeName,
        /// Whose name it is.
        why: &'static str,
    },
    /// What has the name is no folder.
    #[error("{path} is no folder that a farm made: it is {what}, which is not followed")]
    NoFolder {
        /// Where.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// A link in the root that somebody made who has nothing to say there.
    #[error(
        "{path} is a symbolic link that user {user} made: only links of root, of the owner of the farm's root, and your own \
         are followed"
    )]
    Untrusted {
        /// The link.
        path: PathBuf,
        /// Whose it is.
        user: u32,
    },
    /// A link in the root leads to no folder.
    #[error(
        "{path} leads to {target}, which can't be opened as a folder: {source}; is its disk mounted?"
    )]
    Redirected {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The volume was made in a file system that is not there now.
    #[error(
        "nothing is mounted at {path}, and volume {volume} was made in another file system: mount it. If the volume is to be \
         made in this one, remove {flag}"
    )]
    NotMounted {
        /// Which one.
        volume: VolumeName,
        /// Its folder.
        path: PathBuf,
        /// The file that says so.
        flag: PathBuf,
    },
    /// A folder with private volumes is no volume.
    #[error("{path} has the private volumes of host {volume}: it is no volume itself")]
    OfHost {
        /// The name that was said.
        volume: VolumeName,
        /// The folder.
        path: PathBuf,
    },
    /// No host of that name has private volumes.
    #[error("host {host} has no private volumes in {root}")]
    NoHost {
        /// The name.
        host: VolumeName,
        /// Where they were looked for.
        root: PathBuf,
    },
    /// What has the host's name is something else.
    #[error(
        "{path} is not the folder of a host's private volumes: it has no file {HOST_FLAG}; give the host another name, or move it \
         away"
    )]
    NotOfHost {
        /// Where.
        path: PathBuf,
    },
    /// Who is told of files that come could not write that down.
    #[error("the references could not be written: {0}")]
    Registrar(String),
    /// The volumes of a root that is served are those of all hosts.
    #[error(
        "{root} is served to other hosts, and its volumes are those of all: volumes = \"private\" can be said when no server runs"
    )]
    Served {
        /// The root.
        root: PathBuf,
    },
    /// A server serves other volumes of the root.
    #[error(
        "another server serves the {is} volumes of {root}: end it first, since whose volumes are meant is not changed while a \
         server runs"
    )]
    ServedOtherwise {
        /// The root.
        root: PathBuf,
        /// Which ones it serves.
        is: &'static str,
    },
    /// Another command changes the volume.
    #[error("volume {volume} is busy: {} is changing it", of(holder))]
    Busy {
        /// Which one.
        volume: VolumeName,
        /// Who does, where that can be told.
        holder: Option<Holder>,
    },
    /// There are capsules and no directory.
    #[error(
        "volume {volume} has {capsules} capsules and no directory: 'pseudotape farm rebuild {word}' makes it from them",
        word = pseudotape_human::shell_word(.volume.to_string())
    )]
    NoDirectory {
        /// Which one.
        volume: VolumeName,
        /// How many.
        capsules: usize,
    },
    /// Neither directory nor capsule.
    #[error(
        "{path} has neither directory nor capsules: no volume was made there; 'pseudotape farm add' makes it, or remove the folder"
    )]
    NeverMade {
        /// Where.
        path: PathBuf,
    },
    /// Neither directory nor capsule, and something else.
    #[error(
        "{path} is no volume: neither a directory nor capsules are in it, and other things are; 'pseudotape farm add' would make \
         the volume among them"
    )]
    OtherThings {
        /// Where.
        path: PathBuf,
    },
    /// Volumes are in it, and nothing says whose.
    #[error(
        "{path} is no volume: volumes are in it, as in the folder of a host's private volumes, which has lost its file {HOST_FLAG}. \
         {touch} makes it that again",
        touch = touch(.path)
    )]
    Unflagged {
        /// Where.
        path: PathBuf,
    },
    /// The directory can't be used.
    #[error("can't use {path}: {cause}; 'pseudotape farm rebuild' makes it anew from the capsules")]
    Directory {
        /// Where.
        path: PathBuf,
        /// Why.
        cause: DirectoryError,
    },
    /// A later program made the directory. What that knows of the volume is not thrown away.
    #[error(
        "can't use {path}: {cause}. Use a newer pseudotape: this one changes nothing there, and 'farm rebuild' would lose what \
         the newer one wrote"
    )]
    LaterDirectory {
        /// Where.
        path: PathBuf,
        /// Why.
        cause: DirectoryError,
    },
    /// The disk is full. Nothing of what was at hand is in the volume.
    #[error(
        "can't write {path}: the disk is full; what was not told as added is not in the volume. Make room on that disk, and \
         say the command again"
    )]
    Full {
        /// Which file.
        path: PathBuf,
    },
    /// A folder has the name of a file that the farm makes, and is not the farm's to remove.
    #[error(
        "can't {action} {path}: it is a folder, and a farm has a file of that name: move it away, and say the command again"
    )]
    FolderInTheWay {
        /// What.
        action: &'static str,
        /// With what.
        path: PathBuf,
    },
    /// The host failed.
    #[error("can't {action} {path}: {source}")]
    Host {
        /// What.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What the command wants belongs to somebody else.
    #[error(
        "can't {action} {path}: {source}. {place} belongs to {owner}, and this is {user}: run this as {owner} or as root, or let \
         root say 'chown -R {user} {place}'"
    )]
    NotOwner {
        /// What.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What is there of that.
        place: PathBuf,
        /// Whose that is.
        owner: String,
        /// Who wants it.
        user: String,
        /// Why not.
        source: io::Error,
    },
    /// No file has the title.
    #[error("{title} is not in volume {volume}")]
    NoTitle {
        /// The title.
        title: Title,
        /// The volume.
        volume: VolumeName,
    },
    /// A text that can be no note.
    #[error("{0}; nothing was changed")]
    Note(String),
    /// Files are wanted, and no folders.
    #[error(
        "{title} is a folder in volume {volume}, and a file is wanted: name the files in it; nothing was changed"
    )]
    Folder {
        /// The title.
        title: Title,
        /// The volume.
        volume: VolumeName,
    },
    /// The archive that files come from can't be read on.
    #[error(transparent)]
    Archive(#[from] pseudotape_pax::Error),
    /// Who sent the files is gone. What came whole can be committed.
    #[error("the connection was cut while a file came: what came whole is in the volume")]
    Cut,
    /// A capsule can't be used.
    #[error("capsule {number} ({path}): {fault}")]
    Capsule {
        /// Its number.
        number: Number,
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        fault: Fault,
    },
}

/// Who holds a volume, in words.
pub(crate) fn of(holder: &Option<Holder>) -> String {
    let words = holder.as_ref().map(ToString::to_string);
    words.unwrap_or_else(|| "another command".to_owned())
}

/// The command that says that a folder has the private volumes of a host.
fn touch(folder: &Path) -> String {
    let flag = folder.join(HOST_FLAG).display().to_string();
    format!("'touch {}'", pseudotape_human::shell_word(flag))
}

/// Where a capsule lies, and where it belongs.
fn misplaced(folder: &str, wanted: &str, is_taken: bool) -> String {
    let words = |folder: &str| match folder.is_empty() {
        true => "the top of the volume".to_owned(),
        false => format!("folder {}", pseudotape_human::printable(folder)),
    };
    let (folder, wanted) = (words(folder), words(wanted));
    let way_out = match is_taken {
        false => "move it there, and say 'pseudotape farm rebuild'",
        true => {
            "something has its name there, so compare the two, and move the one that is too many out of the volume"
        }
    };
    format!("it lies in {folder}, and its title says {wanted}: {way_out}")
}

/// What is wrong with a capsule.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// No file has its name.
    #[error("it is not there")]
    Absent,
    /// What has its name can't be a capsule.
    #[error("it is {0}")]
    Kind(&'static str),
    /// Its folder in a structured volume is none.
    #[error(
        "its folder can't be entered: in its place is something else, and links are not followed"
    )]
    Folder,
    /// It lies in another folder of the volume than its title says.
    #[error("{}", misplaced(folder, wanted, *is_taken))]
    Misplaced {
        /// Where it lies; nothing for the top of the volume.
        folder: String,
        /// Where it should.
        wanted: String,
        /// Something has its name there.
        is_taken: bool,
    },
    /// Another capsule of the volume has its number.
    #[error(
        "another capsule of the volume has its number: move this one into a new folder of the root; 'pseudotape farm rebuild' makes \
         a volume of that, and 'pseudotape farm merge' brings its file back"
    )]
    Twice,
    /// The directory of another volume is in a folder of this one.
    #[error(
        "it is the directory of another volume: move its folder, with all that is in it, into the root of a farm"
    )]
    Inner,
    /// It was the directory, and could not be read.
    #[error(
        "it is the damaged directory that was here, and is kept: notes that no capsule has can be found in it, and nowhere else; \
         remove it when nobody misses any"
    )]
    DamagedDirectory,
    /// The directory had it.
    #[error("it is not there: its file was {0}")]
    Gone(Title),
    /// It was replaced since the directory was read.
    #[error("another file took its place meanwhile: the same command again gets that one")]
    Replaced,
    /// The host failed.
    #[error("can't read it: {0}")]
    Host(io::Error),
    /// It is no image, or a damaged one.
    #[error("{0}")]
    Image(Box<pseudotape_image::Error>),
    /// The image lost data that it had committed.
    #[error("it is cut off: committed data are missing")]
    CutOff,
    /// The archive in it is damaged.
    #[error("{0}")]
    Archive(pseudotape_pax::Error),
    /// The blocks are good, and no archive comes out of them.
    #[error("its archive can't be unpacked: {0}")]
    Packed(String),
    /// The image is none that a farm made.
    #[error("it is no capsule: {0}")]
    Form(&'static str),
    /// Its record is none.
    #[error("its record can't be read: {0}")]
    Record(RecordError),
    /// It is a capsule, but another one than the directory says.
    #[error("it is another capsule: {what} is {found}, and should be {expected}")]
    Other {
        /// What differs.
        what: &'static str,
        /// What it is.
        found: String,
        /// What the directory says.
        expected: String,
    },
    /// What another host says of it.
    #[error("{0}")]
    Reported(String),
    /// Its contents are not those that were written.
    #[error("the contents have digest {found}, and should have {expected}")]
    Digest {
        /// What was read.
        found: String,
        /// What was written.
        expected: String,
    },
}

impl Fault {
    /// Whether the capsule is gone or not what was written. Else nothing is known of it: the host failed, a later
    /// program wrote it, or something that is no file has its name.
    /// Whether only a capsule can have it: its record was read, and something else is not as that says.
    #[must_use]
    pub fn is_of_capsule(&self) -> bool {
        matches!(
            self,
            Fault::Other { .. } | Fault::Digest { .. } | Fault::Packed(_)
        )
    }

    pub(crate) fn is_damage(&self) -> bool {
        use pseudotape_image::Error as Image;
        match self {
            Fault::Absent
            | Fault::Gone(_)
            | Fault::CutOff
            | Fault::Form(_)
            | Fault::Packed(_)
            | Fault::Other { .. }
            | Fault::Digest { .. } => true,
            Fault::Kind(_)
            | Fault::Folder
            | Fault::Misplaced { .. }
            | Fault::Twice
            | Fault::Inner
            | Fault::DamagedDirectory
            | Fault::Replaced
            | Fault::Host(_)
            | Fault::Reported(_)
            | Fault::Archive(pseudotape_pax::Error::Read(_)) => false,
            Fault::Archive(_) => true,
            Fault::Record(error) => !matches!(error, RecordError::Newer(_)),
            Fault::Image(error) => {
                error.is_damage()
                    || matches!(
                        **error,
                        Image::NotAnImage { .. }
                            | Image::HeaderDamaged { .. }
                            | Image::HeaderValue { .. }
                    )
            }
        }
    }
}

impl From<pseudotape_image::Error> for Fault {
    fn from(error: pseudotape_image::Error) -> Self {
        Fault::Image(Box::new(error))
    }
}

impl From<pseudotape_pax::Error> for Fault {
    fn from(error: pseudotape_pax::Error) -> Self {
        Fault::Archive(error)
    }
}

impl Error {
    /// Names the host's failure.
    pub(crate) fn host(
        action: &'static str,
        path: impl AsRef<Path>,
        source: impl Into<io::Error>,
    ) -> Self {
        let (path, source) = (path.as_ref().to_owned(), source.into());
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full { path },
            io::ErrorKind::IsADirectory => Error::FolderInTheWay { action, path },
            io::ErrorKind::PermissionDenied if let Some((place, owner)) = of_another(&path) => {
                Error::NotOwner {
                    action,
                    path,
                    place,
                    owner: name_of(owner),
                    user: name_of(geteuid()),
                    source,
                }
            }
            _ => Error::Host {
                action,
                path,
                source,
            },
        }
    }

    /// The same, of an image that is being written.
    pub(crate) fn writing(path: &Path, error: pseudotape_image::Error) -> Self {
        match error {
            pseudotape_image::Error::HostFull { .. } => Error::Full {
                path: path.to_owned(),
            },
            other => Error::host("write", path, io::Error::other(other)),
        }
    }
}

/// What is there of a path, and whose it is, where that is somebody else than this user.
fn of_another(path: &Path) -> Option<(PathBuf, Uid)> {
    let found = path.ancestors().find_map(|place| {
        let found = std::fs::symlink_metadata(place).ok()?;
        Some((place.to_owned(), Uid::from_raw(found.uid())))
    });
    found.filter(|(_, owner)| *owner != geteuid())
}

fn name_of(user: Uid) -> String {
    let found = User::from_uid(user).ok().flatten();
    found.map_or_else(|| user.to_string(), |user| user.name)
}
