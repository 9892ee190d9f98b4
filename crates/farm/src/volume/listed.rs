//! What the folder of a volume has as its directory.

use std::io::Read;

use crate::directory::{Directory, DirectoryError, MAX_DIRECTORY_BYTES};
use crate::error::{Error, Fault};
use crate::index;
use crate::names::{DIRECTORY_NAME, INDEX_NAME};
use crate::place::Place;
use crate::title::{Title, VolumeName};

/// Reads the directory; `None` where there is none, and no capsule either.
pub(super) fn read_directory(place: &Place, name: &VolumeName) -> Result<Option<Directory>, Error> {
    let path = || place.path_of(DIRECTORY_NAME);
    let unusable = |cause| match cause {
        DirectoryError::Newer(_) | DirectoryError::Marks(_) => Error::LaterDirectory {
            path: path(),
            cause,
        },
        DirectoryError::Foreign | DirectoryError::Damaged(_) => Error::Directory {
            path: path(),
            cause,
        },
    };
    let file = match place.open(DIRECTORY_NAME) {
        Ok(file) => file,
        Err(Fault::Absent) => {
            return match place.count_capsules()? {
                0 => Ok(None),
                capsules => Err(Error::NoDirectory {
                    volume: name.clone(),
                    capsules,
                }),
            };
        }
        Err(Fault::Host(error)) => return Err(Error::host("open", path(), error)),
        Err(fault) => return Err(unusable(DirectoryError::Damaged(fault.to_string()))),
    };
    let length = file.metadata().map_or(0, |found| found.len());
    // One more, by which the end is seen without asking for more memory.
    let length = usize::try_from(length.min(MAX_DIRECTORY_BYTES) + 1).unwrap_or(0);
    let mut bytes = Vec::with_capacity(length);
    let read = file.take(MAX_DIRECTORY_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| Error::host("read", path(), error))?;
    if bytes.len() as u64 > MAX_DIRECTORY_BYTES {
        return Err(unusable(DirectoryError::Damaged(format!(
            "it is longer than {MAX_DIRECTORY_BYTES} bytes"
        ))));
    }
    Directory::parse(&bytes).map(Some).map_err(unusable)
}

/// The files to which the index leads, where it leads to all that are meant. Whatever is wrong with it, the directory
/// is read then, and says what is wrong with itself.
pub(super) fn indexed(place: &Place, titles: &[Title]) -> Option<Directory> {
    let directory = place.open(DIRECTORY_NAME).ok()?;
    let index = place.open(INDEX_NAME).ok()?;
    index::find(&directory, &index, titles)
}
