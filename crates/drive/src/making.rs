//! New volumes in files.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use pseudotape_image::{CreateParameters, Error, FileStore, Image, Uuid, VolumeId};

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
    if let Err(error) = Image::create(store, parameters).and_then(Image::finish) {
        let path = path.to_owned();
        return Err(match fs::remove_file(&path) {
            Ok(()) => MakingError::Volume {
                path,
                source: error,
            },
            Err(source) => MakingError::Leftover {
                path,
                cause: error,
                source,
            },
        });
    }
    commit_name(path)
}

/// Commits the directory of a file, so that a power failure can't take the file's name.
pub fn commit_name(path: &Path) -> Result<(), MakingError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        // Some file systems (9p, hostfs) can't commit a directory; nor could anybody else.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        Err(source) => Err(MakingError::Name {
            directory: directory.to_owned(),
            source,
        }),
        Ok(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use pseudotape_image::Access;

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
    fn a_directory_that_is_not_there_is_named() {
        let error = commit_name(Path::new("/nowhere/t.ptape")).expect_err("no directory");
        assert!(error.to_string().contains("/nowhere:"), "{error}");
        commit_name(Path::new("t.ptape")).expect("the working directory is there");
    }
}
