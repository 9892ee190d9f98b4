//! New volumes in files.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use pseudotape_image::{
    Access, CreateParameters, Error, FileStore, Folder, Header, Image, Rewriting, Store, Uuid,
    VolumeId,
};

use crate::cartridge::{Change, Medium};
use crate::medium::FileMedium;

/// Early warning of a volume with a capacity, where nobody says it …
const EARLY_WARNING_BYTES: u64 = 64 << 20;
/// … but no more than this part of the capacity.
const EARLY_WARNING_PART: u64 = 16;

/// Why a volume could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MakingError {
    /// The file can't be made.
    #[error(transparent)]
    File(Error),
    /// The file was there, and nothing can be recorded in it. It was removed again.
    #[error("can't make {path}: {source}")]
    Volume {
        /// The file.
        path: PathBuf,
        /// Why nothing can be recorded.
        source: Error,
    },
    /// Nothing can be recorded in the file, and the file can't be removed either.
    #[error("can't make {path}: {cause}; and can't remove what is there of it: {source}")]
    Leftover {
        /// The file.
        path: PathBuf,
        /// Why nothing can be recorded.
        cause: Error,
        /// Why the file is still there.
        source: io::Error,
    },
    /// The volume is there, but a power failure can take the file's name.
    #[error("can't commit the directory {directory}: {source}")]
    Name {
        /// The directory of the file.
        directory: PathBuf,
        /// The host's reason.
        source: io::Error,
    },
}

/// Why a volume was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum ReplacingError {
    /// The old volume can't be opened, or the new one can't be made.
    #[error(transparent)]
    Making(#[from] MakingError),
    /// It is no image.
    #[error(
        "{path} is no pseudotape image: only images are replaced; remove it first if that is meant"
    )]
    NoImage {
        /// The file.
        path: PathBuf,
    },
    /// It belongs to a volume that has another name.
    #[error(
        "{path} is partition {partition} of a volume: only a whole volume is replaced, by the name of its partition 0"
    )]
    LaterPartition {
        /// The file.
        path: PathBuf,
        /// Which partition it is.
        partition: u8,
    },
    /// It is WORM.
    #[error(
        "{path} is a WORM volume, to which can only be appended: it is not replaced without --destroy-worm"
    )]
    Worm {
        /// The file.
        path: PathBuf,
    },
}

/// Early warning of a volume with this capacity, where nobody says it: 64 MiB, but no more than a sixteenth.
#[must_use]
pub fn default_early_warning_bytes(capacity_bytes: u64) -> u64 {
    EARLY_WARNING_BYTES.min(capacity_bytes / EARLY_WARNING_PART)
}

/// A volume with an identity of its own and without limits, made so many milliseconds after 1970.
#[must_use]
pub fn fresh_volume(created_ms: u64) -> CreateParameters {
    CreateParameters::new(VolumeId(Uuid::now_v7()), created_ms)
}

/// Makes a volume in a new file; an existing file is left alone.
///
/// | condition | result | file after |
/// |---|---|---|
/// | all is well | `Ok` | there, and committed with its name |
/// | a file is there, or none can be made | `File` | as before |
/// | nothing can be recorded | `Volume` | gone |
/// | neither recorded nor removed | `Leftover` | there, no volume |
/// | the directory can't be committed | `Name` | there; its name may not survive a power failure |
pub fn make_volume(path: &Path, parameters: &CreateParameters) -> Result<(), MakingError> {
    let store = FileStore::create(path).map_err(MakingError::File)?;
    let home = store
        .home()
        .map(|(folder, name)| (folder.clone(), name.to_owned(), store.inode()));
    let recorded = Image::create(store, parameters).and_then(Image::finish);
    let (cause, path) = match (recorded, &home) {
        (Ok(_), Some((folder, _, _))) => return commit_names(folder, path),
        // A file that was just made has a name.
        (Ok(_), None) => return Ok(()),
        (Err(cause), _) => (cause, path.to_owned()),
    };
    let removed = home.map_or(Ok(false), |(folder, name, inode)| {
        folder.remove(&name, inode)
    });
    Err(match removed {
        Ok(_) => MakingError::Volume {
            path,
            source: cause,
        },
        Err(source) => MakingError::Leftover {
            path,
            cause,
            source,
        },
    })
}

/// What may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaceable {
    /// A volume whose data may be overwritten.
    Rewritable,
    /// Also one to which can only be appended.
    Worm,
}

/// Makes a volume in the place of another one, at one stroke; what is on the old one is lost.
///
/// Nothing goes but the old volume's own files, and no volume that somebody uses. An empty file counts as a volume,
/// and so does an image that nobody can read any more.
///
/// | condition | result | files after |
/// |---|---|---|
/// | all is well | `Ok` | the new volume, committed with its name |
/// | the old one is in use, or can't be opened | `File` | as before |
/// | it is no image, a later partition, or WORM | `NoImage`, `LaterPartition`, `Worm` | as before |
/// | nothing can be recorded, or a name is somebody else's | `Volume` | as before |
pub fn replace_volume(
    path: &Path,
    parameters: &CreateParameters,
    replaceable: Replaceable,
) -> Result<(), ReplacingError> {
    let mut medium = FileMedium::new(path, Access::ReadWrite);
    // The lock on the old volume is held until the new one is in its place.
    let first = medium.open(0).map_err(MakingError::File)?;
    let header = replaced_header(path, &first, replaceable)?;
    let mut old = vec![first];
    let mut old_volume = VolumeId(Uuid::nil());
    if let Some(header) = header {
        old_volume = header.volume;
        if let [first, ..] = &old[..] {
            medium.settle(first, &header);
        }
        for number in 1..header.partition_count {
            let store = match medium.open(number) {
                Err(Error::Unopenable { source, .. }) if source.kind() == ErrorKind::NotFound => {
                    continue;
                }
                store => store.map_err(MakingError::File)?,
            };
            // What is not of this volume is none of it.
            if store.header().is_ok_and(|found| found.volume == old_volume) {
                old.push(store);
            }
        }
    }
    let change = Change {
        old: old_volume,
        new: parameters.header.volume,
    };
    let old: Vec<_> = old.iter().collect();
    let replaced = old.first().map_or(Ok(()), |first| {
        let store = medium.stage(first, change.new, 0)?;
        let mut store = Image::create(store, parameters).and_then(Image::finish)?;
        medium.replace(change, &old, &mut [&mut store])
    });
    replaced.map_err(|source| {
        medium.discard();
        ReplacingError::Making(MakingError::Volume {
            path: path.to_owned(),
            source,
        })
    })
}

/// The header of a volume that may be replaced; `None` where there is none that can be read.
fn replaced_header(
    path: &Path,
    first: &FileStore,
    replaceable: Replaceable,
) -> Result<Option<Header>, ReplacingError> {
    let path = path.to_owned();
    match first.header() {
        Ok(header) if header.partition.0 != 0 => Err(ReplacingError::LaterPartition {
            path,
            partition: header.partition.0,
        }),
        Ok(header)
            if header.rewriting == Rewriting::AppendOnly
                && replaceable == Replaceable::Rewritable =>
        {
            Err(ReplacingError::Worm { path })
        }
        Ok(header) => Ok(Some(header)),
        Err(Error::NotAnImage { .. }) if first.length().is_ok_and(|length| length > 0) => {
            Err(ReplacingError::NoImage { path })
        }
        Err(_) => Ok(None),
    }
}

/// Commits the folder of a file, so that a power failure can't take the file's name.
fn commit_names(folder: &Folder, path: &Path) -> Result<(), MakingError> {
    folder.sync().map_err(|source| MakingError::Name {
        directory: match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        },
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn early_warning_is_64_mib_or_a_sixteenth() {
        assert_eq!(default_early_warning_bytes(15), 0);
        assert_eq!(default_early_warning_bytes(1 << 20), 1 << 16);
        assert_eq!(default_early_warning_bytes(1 << 30), 64 << 20);
        assert_eq!(default_early_warning_bytes(u64::MAX), 64 << 20);
    }

    #[test]
    fn a_volume_is_made_once() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("t.ptape");
        let parameters = fresh_volume(7);
        make_volume(&path, &parameters).expect("a volume");
        let store = FileStore::open(&path, Access::ReadOnly).expect("a file");
        let (image, _) = Image::open(store, Access::ReadOnly).expect("an image");
        assert_eq!(image.header().volume, parameters.header.volume);
        let before = fs::read(&path).expect("a file");
        let again = make_volume(&path, &fresh_volume(8)).expect_err("a file is there");
        assert!(matches!(again, MakingError::File(_)), "{again}");
        assert!(again.to_string().contains("t.ptape"), "{again}");
        assert_eq!(fs::read(&path).expect("a file"), before);
    }

    #[test]
    fn a_volume_that_cannot_be_made_leaves_no_file() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("t.ptape");
        let mut parameters = fresh_volume(7);
        parameters.label = "x".repeat(100_000);
        let error = make_volume(&path, &parameters).expect_err("a label that long");
        assert!(matches!(error, MakingError::Volume { .. }), "{error}");
        assert!(error.to_string().contains("t.ptape"), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn a_file_of_the_working_directory_is_made_there() {
        let name = Path::new("made-by-a-test.ptape");
        make_volume(name, &fresh_volume(7)).expect("a volume");
        fs::remove_file(name).expect("it is there");
    }

    #[test]
    fn a_volume_is_replaced_and_nothing_else() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("t.ptape");
        make_volume(&path, &fresh_volume(7)).expect("a volume");
        let before = fs::read(&path).expect("a file");
        // Somebody uses it.
        let user = FileStore::open(&path, Access::ReadOnly).expect("a file");
        let replace = |parameters: &CreateParameters| {
            replace_volume(&path, parameters, Replaceable::Rewritable)
        };
        let error = replace(&fresh_volume(8)).expect_err("it is in use");
        assert!(
            matches!(
                error,
                ReplacingError::Making(MakingError::File(Error::InUse { .. }))
            ),
            "{error}"
        );
        assert_eq!(fs::read(&path).expect("a file"), before);
        drop(user);
        let mut worm = fresh_volume(8);
        worm.header.rewriting = Rewriting::AppendOnly;
        replace(&worm).expect("nobody uses it");
        let store = FileStore::open(&path, Access::ReadOnly).expect("a file");
        assert_eq!(store.header().expect("an image"), worm.header);
        drop(store);
        let before = fs::read(&path).expect("a file");
        let error = replace(&fresh_volume(9)).expect_err("it is WORM");
        assert!(matches!(error, ReplacingError::Worm { .. }), "{error}");
        assert_eq!(fs::read(&path).expect("a file"), before);
        replace_volume(&path, &fresh_volume(9), Replaceable::Worm).expect("that is meant");
        let entries = fs::read_dir(place.path()).expect("a directory");
        assert_eq!(entries.count(), 1);
    }

    #[test]
    fn what_can_not_be_recorded_replaces_nothing() {
        let place = tempfile::tempdir().expect("a directory");
        let path = place.path().join("t.ptape");
        make_volume(&path, &fresh_volume(7)).expect("a volume");
        let before = fs::read(&path).expect("a file");
        let mut parameters = fresh_volume(8);
        parameters.label = "x".repeat(100_000);
        let error = replace_volume(&path, &parameters, Replaceable::Rewritable)
            .expect_err("a label that long");
        assert!(
            matches!(error, ReplacingError::Making(MakingError::Volume { .. })),
            "{error}"
        );
        assert_eq!(fs::read(&path).expect("a file"), before);
        let entries = fs::read_dir(place.path()).expect("a directory");
        assert_eq!(entries.count(), 1);
    }
}
