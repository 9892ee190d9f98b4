//! Where volumes stand: which of them have to be mounted, and which folders of a root are those of hosts.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::title::VolumeName;

/// What is in the folder of a host's private volumes.
pub(crate) const HOST_FLAG: &str = ".private-volumes";

const MOUNTED_WORDS: &str = "\
The volume of this name was made in another file system than this folder. While this file is here, 'pseudotape farm'
does not take the folder for the volume when nothing is mounted there.
";
const HOST_WORDS: &str = "\
The folders here are the private volumes of the host that has the name of this folder.
";

/// The file in the root that says that a volume was made in another file system. No volume can have its name.
pub(crate) fn mounted_flag(root: &Path, volume: &VolumeName) -> PathBuf {
    root.join(format!(".{volume}.mounted"))
}

/// Makes that file. Who may not write into the root can't fill its file system either.
pub(crate) fn flag_mounted(root: &Path, volume: &VolumeName) -> io::Result<()> {
    match write_new(&mounted_flag(root, volume), MOUNTED_WORDS) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            Ok(())
        }
        written => written,
    }
}

/// Whether a folder has the private volumes of a host.
pub(crate) fn is_of_host(folder: &Path) -> bool {
    fs::symlink_metadata(folder.join(HOST_FLAG)).is_ok_and(|found| found.is_file())
}

/// Whether a folder has volumes in it, as one of a host has: folders with a directory of this name. Which it is, only
/// the file says.
pub(crate) fn has_volumes(folder: &Path, directory: &str) -> bool {
    let is_volume = |entry: fs::DirEntry| {
        entry.file_type().is_ok_and(|kind| !kind.is_file())
            && entry.path().join(directory).is_file()
    };
    fs::read_dir(folder).is_ok_and(|found| found.flatten().any(is_volume))
}

/// Says so, in a folder that is empty.
pub(crate) fn flag_host(folder: &Path) -> io::Result<()> {
    write_new(&folder.join(HOST_FLAG), HOST_WORDS)
}

/// Makes a file with a text, where none has its name.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}
