//! What can go wrong, and the way out.

use std::io;
use std::path::{Path, PathBuf};

use pseudotape_human::shell_word;
use rusqlite::ErrorCode;

use crate::label::Label;
use crate::layout::CATALOG_FILE;
use crate::recovery::payload::PayloadError;
use crate::rules::Refusal;
use crate::state::Illegal;
use crate::volume::Volume;
use crate::words::UnknownWord;

/// Why something could not be done. Nothing was changed then, where the text does not say otherwise.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No vault is there.
    #[error("{directory} is no vault: 'pseudotape vault init {word}' makes one", word = shell_word(.directory))]
    NoVault {
        /// The directory.
        directory: PathBuf,
    },
    /// One is there already.
    #[error("{directory} is a vault already")]
    Exists {
        /// The directory.
        directory: PathBuf,
    },
    /// Something else is there.
    #[error("{directory} is not empty ({found} is in it): a new vault gets a directory of its own")]
    NotEmpty {
        /// The directory.
        directory: PathBuf,
        /// One thing in it.
        found: String,
    },
    /// The file that makes a directory a vault is gone.
    #[error(
        "{directory} has a catalog with volumes in it and no vault.toml: bring that file back, or write one with the lines 'format = 1', \
         'identity = \"{identity}\"' and 'name = \"NAME\"'"
    )]
    NoConfiguration {
        /// The directory.
        directory: PathBuf,
        /// What belongs into the file.
        identity: String,
    },
    /// The configuration can't be understood.
    #[error("{path}: {cause}")]
    Configuration {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        cause: String,
    },
    /// The catalog is gone.
    #[error(
        "{path} is missing: the vault has lost its catalog and needs a recovery. 'pseudotape vault recover TAPE... --confirm' \
         brings back a backup; the images in {images} are not touched"
    )]
    NoCatalog {
        /// The file.
        path: PathBuf,
        /// Where the volumes are.
        images: PathBuf,
    },
    /// It is the file of another program.
    #[error("{path} is no catalog of a vault ({found}): nothing was changed")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: String,
    },
    /// It belongs to another vault.
    #[error(
        "{path} is the catalog of another vault: it says {found}, and vault.toml says {expected}; nothing was changed"
    )]
    OtherVault {
        /// The file.
        path: PathBuf,
        /// The identity in it.
        found: String,
        /// The identity of this vault.
        expected: String,
    },
    /// A later program made it.
    #[error(
        "{path} has schema {found}, and this program knows {known} and before: a newer pseudotape wrote it, use that one; \
         nothing was changed"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The last schema that is known here.
        known: i64,
    },
    /// An earlier program made it, and it can't be converted here.
    #[error(
        "{path} has the old schema {found}, and can't be converted: the directory can't be written"
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
    },
    /// Another command has the vault.
    #[error(
        "the vault {directory} is held by {holder}, for more than {seconds} s: try again when that has ended"
    )]
    Held {
        /// The vault.
        directory: PathBuf,
        /// Which command, and which process.
        holder: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A program that knows nothing of the vault's lock has the catalog.
    #[error(
        "another program than pseudotape holds the catalog (a shell of SQLite?): end what it does there"
    )]
    Busy,
    /// Nothing fits any more.
    #[error(
        "the disk of the vault is full: the change at hand was not made, those before it were; make room, see 'vault ls' and 'vault doctor', and go on"
    )]
    Full,
    /// Not even the files that reading needs fit.
    #[error(
        "the disk of {directory} is full, and the catalog can't be opened there: make room (the images in it are the large \
         files), and do it again; nothing was changed"
    )]
    NoRoom {
        /// The vault.
        directory: PathBuf,
    },
    /// The directory or the disk is read-only.
    #[error(
        "{path} can't be written: {cause}; it can still be looked at ('vault ls', 'vault show')"
    )]
    ReadOnly {
        /// What.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// What was committed and not yet brought into the main file can't be read without writing.
    #[error(
        "{path} was not brought to an end, and its directory can't be written: make it writable once"
    )]
    Unfinished {
        /// The log beside the catalog.
        path: PathBuf,
    },
    /// The catalog's bytes are wrong.
    #[error(
        "the catalog is damaged ({cause}): 'pseudotape vault recover TAPE... --confirm' brings back a backup, and keeps what is left of it"
    )]
    Damaged {
        /// What was met.
        cause: String,
    },
    /// SQLite says something else.
    #[error("the catalog: {0}")]
    Sql(rusqlite::Error),
    /// The host refuses a file or a directory.
    #[error("can't {what} {path}: {source}")]
    Host {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The host's reason.
        source: io::Error,
    },
    /// An image can't be read.
    #[error("{}", about_image(path, source))]
    Image {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pseudotape_image::Error,
    },
    /// An image can't be made.
    #[error(transparent)]
    Making(#[from] pseudotape_drive::MakingError),
    /// A program writes the image.
    #[error(
        "{path} is in use by a drive: unload it first ('pseudotape status' shows the drives of the daemon)"
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// An image that a vault can't keep.
    #[error("{path} is no volume for a vault: {why}")]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// Nothing has this label.
    #[error("there is no volume {label} in the vault: 'pseudotape vault ls' lists them")]
    NoVolume {
        /// The label.
        label: Label,
    },
    /// Something has it already.
    #[error(
        "there is a volume {label} already: each volume of a vault has a label of its own; --label says another"
    )]
    LabelTaken {
        /// The label.
        label: Label,
    },
    /// The same volume is in the vault already.
    #[error(
        "{path} is volume {identity}, which is in the vault as {label} with the image {known}: a copy is no second volume. \
         To take it in the place of that one, move that elsewhere, give {path} its name, and add it with --replace"
    )]
    IdentityTaken {
        /// The file.
        path: PathBuf,
        /// The volume.
        identity: String,
        /// Its label in the vault.
        label: Label,
        /// Its image there.
        known: String,
    },
    /// The image of a volume is not the last that the catalog knows of it.
    #[error(
        "{path} is an older image of volume {label}, or was written elsewhere: {why}. The catalog would forget {gone}: bring the \
         last image back; --replace takes this one"
    )]
    OlderImage {
        /// The file.
        path: PathBuf,
        /// The volume.
        label: Label,
        /// How that is known.
        why: &'static str,
        /// What would be lost.
        gone: String,
    },
    /// All labels of a scheme are taken.
    #[error("the scheme {scheme} has no more labels: --scheme says another")]
    SchemeUsedUp {
        /// The scheme.
        scheme: String,
    },
    /// The volume has no such tape file.
    #[error("volume {label} has no tape file {number}: it has {count}, counted from 0")]
    NoFile {
        /// The volume.
        label: Label,
        /// The file.
        number: u64,
        /// How many there are.
        count: u64,
    },
    /// A drive has it.
    #[error("volume {label} is in use: {by} has it; unload it there first")]
    HasIt {
        /// The volume.
        label: Label,
        /// Who opened it, as it said then.
        by: String,
    },
    /// A drive had it when its daemon died.
    #[error(
        "volume {label} was left open: {by} had it and did not close it; 'pseudotape vault add {word}' writes down what is \
         on it and closes it", word = shell_word(.image)
    )]
    LeftOpen {
        /// The volume.
        label: Label,
        /// Who opened it, as it said then.
        by: String,
        /// Its image.
        image: PathBuf,
    },
    /// Somebody wrote it, and the catalog was not told.
    #[error(
        "volume {label} was written past the vault, which does not know what is on it now: 'pseudotape vault add {word}' tells it",
        word = shell_word(.image)
    )]
    WrittenPast {
        /// The volume.
        label: Label,
        /// Its image.
        image: PathBuf,
    },
    /// The image of a volume is of before.
    #[error(
        "{image} is an older image of volume {label}: the catalog knows of writings after it. Bring the last image back; \
         'pseudotape vault add {word} --replace' takes this one, and the catalog forgets what was written since",
        word = shell_word(.image)
    )]
    OlderHere {
        /// The volume.
        label: Label,
        /// Its image.
        image: PathBuf,
    },
    /// The image of a volume was here.
    #[error(
        "the image {image} of volume {label} is gone: bring it back, or mark the volume lost ('pseudotape vault mark')"
    )]
    ImageGone {
        /// The volume.
        label: Label,
        /// Where it was.
        image: PathBuf,
    },
    /// The image of a volume is on a tape.
    #[error(
        "the image of volume {label} is not on this disk: 'pseudotape vault recall {word} --drive DRIVE' brings it from \
         {places}", word = shell_word(.label.as_str())
    )]
    Elsewhere {
        /// The volume.
        label: Label,
        /// The stacked volumes that have it.
        places: String,
    },
    /// In the place of a volume's image is that of another one.
    #[error(
        "{image} is volume {found}, and not that of {label}: move it elsewhere and bring the right one back"
    )]
    OtherImage {
        /// The volume.
        label: Label,
        /// The file.
        image: PathBuf,
        /// The identity in it.
        found: String,
    },
    /// No scratch volume can be used.
    #[error(
        "there is no scratch volume that is ok, closed and has its image here: 'pseudotape vault add --new' makes some, \
         'pseudotape vault set LABEL --category scratch --reason TEXT' gives one up"
    )]
    NoScratch,
    /// The image of a volume is not on this disk.
    #[error("volume {label} has no image on this disk")]
    NoImage {
        /// The volume.
        label: Label,
    },
    /// A tape file was read, and is not what it was.
    #[error("tape file {number} of volume {label} does not become ok: {why}")]
    NotGood {
        /// The volume.
        label: Label,
        /// The file.
        number: u64,
        /// What was found.
        why: String,
    },
    /// The bytes of a backup are wrong.
    #[error("backup {sequence} of the catalog: {source}")]
    Payload {
        /// Its number.
        sequence: u64,
        /// What is wrong with it.
        source: PayloadError,
    },
    /// A clone would be written over something.
    #[error(
        "volume {label} is not blank: a clone is written onto a scratch volume without files ('pseudotape vault add --new' \
         makes one)"
    )]
    NoTarget {
        /// The volume.
        label: Label,
    },
    /// What is to take the place of a volume does not hold what is good on it.
    #[error("the clone can't take the place of the volume: {why}")]
    NotAClone {
        /// What is wrong.
        why: String,
    },
    /// A volume that was to be copied is damaged, which the catalog did not know and knows now.
    #[error("{}", about_damage(label, found, copies.as_deref()))]
    FoundDamaged {
        /// The volume.
        label: Label,
        /// What was met.
        found: String,
        /// Where a copy of before is.
        copies: Option<String>,
    },
    /// Nothing can be stacked on what is in the drive, or not now.
    #[error("{0}")]
    Stacking(String),
    /// A tape could not be written or read.
    #[error("the stacked volume: {0}")]
    Tape(#[from] pseudotape_stack::Error),
    /// A drive failed.
    #[error("the drive: {0}")]
    Drive(#[from] pseudotape_tape::Failed),
    /// A tape file that came back is not taken.
    #[error(
        "tape file {number} of the volume that {label} is the clone of is not taken back: {why}"
    )]
    NotReturned {
        /// The clone.
        label: Label,
        /// Its number on the damaged volume.
        number: u64,
        /// What is wrong.
        why: String,
    },
    /// A person has to say why.
    #[error("a decision needs a name and a reason: --by NAME --reason TEXT")]
    NoReason,
    /// The volume that is to be written, or its serial number, is not the one of the catalog.
    #[error("{0}; nothing was changed")]
    Serial(String),
    /// A number does not fit into the catalog.
    #[error("{0} is too large a number for the catalog")]
    TooLarge(u64),
    /// A transition that does not exist.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// A rule forbids it.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Error {
    /// A volume of a farm can't come into a catalog: nobody says its serial number, and none is counted.
    #[must_use]
    pub fn no_serial() -> Self {
        Error::Serial(
            "the volume needs a serial number: say --serial SERIAL, or 'pseudotape farm serial DF0001' to have them counted"
                .to_owned(),
        )
    }

    /// The image of a volume has another generation than the catalog knows.
    pub(crate) fn other_generation(volume: &Volume, image: PathBuf, found: u64) -> Self {
        let label = volume.label.clone();
        match volume.image_generation.is_some_and(|known| known > found) {
            true => Error::OlderHere { label, image },
            false => Error::WrittenPast { label, image },
        }
    }

    pub(crate) fn host(what: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Error::ReadOnly {
                    path,
                    cause: source.to_string(),
                }
            }
            _ => Error::Host { what, path, source },
        }
    }

    pub(crate) fn image(path: impl Into<PathBuf>, source: pseudotape_image::Error) -> Self {
        Error::Image {
            path: path.into(),
            source,
        }
    }
}

fn about_damage(label: &Label, found: &str, copies: Option<&str>) -> String {
    let word = shell_word(label.as_str());
    let way_out = match copies {
        Some(places) => format!(
            "a copy of before is on {places}: move the image elsewhere, and 'pseudotape vault recall {word} --drive DRIVE' \
             brings that back; or 'pseudotape vault clone {word} --to LABEL' saves what is whole"
        ),
        None => format!(
            "'pseudotape vault clone {word} --to LABEL' saves what is whole, and the same command again copies the image as \
             it is"
        ),
    };
    format!(
        "{label} is damaged: {found}; the catalog says so now, and no copy was written: {way_out}"
    )
}

/// Some errors of an image begin with its path.
fn about_image(path: &Path, source: &pseudotape_image::Error) -> String {
    let (path, words) = (path.display().to_string(), source.to_string());
    match words.starts_with(&path) {
        true => words,
        false => format!("{path}: {words}"),
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy,
            Some(ErrorCode::DiskFull) => Error::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Damaged {
                cause: error.to_string(),
            },
            Some(ErrorCode::ReadOnly) => Error::ReadOnly {
                path: CATALOG_FILE.into(),
                cause: error.to_string(),
            },
            _ => Error::Sql(error),
        }
    }
}

impl From<UnknownWord> for Error {
    fn from(word: UnknownWord) -> Self {
        Error::Damaged {
            cause: word.to_string(),
        }
    }
}
