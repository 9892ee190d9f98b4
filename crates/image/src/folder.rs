//! A folder that is held open, and the names in it.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, RenameFlags, openat, renameat, renameat2};
use nix::sys::stat::{Mode, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use pseudotape_tape::Access;

/// Readable and writable for owner and group, as far as the umask lets it be.
const NEW_FILE_MODE: Mode = Mode::from_bits_truncate(0o660);

/// Which file a name leads to, whatever the name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Inode {
            device: metadata.dev(),
            number: metadata.ino(),
        })
    }

    /// The number within its file system.
    #[must_use]
    pub fn number(self) -> u64 {
        self.number
    }
}

/// A folder that is held by its descriptor: what is renamed or replaced above it leads nobody elsewhere.
///
/// Every method takes the name of an entry, without a slash, and follows no symbolic link.
#[derive(Clone, Debug)]
pub struct Folder {
    descriptor: Arc<OwnedFd>,
    path: PathBuf,
}

impl Folder {
    /// Opens the folder of a file that need not be there; says the file's name in it.
    pub fn holding(path: &Path) -> io::Result<(Self, OsString)> {
        let Some(name) = path.file_name() else {
            return Err(Errno::EISDIR.into());
        };
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let descriptor = OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_PATH | OFlag::O_DIRECTORY).bits())
            .open(folder)?;
        Ok((
            Folder {
                descriptor: Arc::new(descriptor.into()),
                path: folder.to_owned(),
            },
            name.to_owned(),
        ))
    }

    /// Opens the folder in which a file really is, behind all symbolic links; says the file's name in it.
    pub fn really_holding(path: &Path) -> io::Result<(Self, OsString)> {
        Self::holding(&path.canonicalize()?)
    }

    /// Where an entry was when the folder was opened: for messages.
    #[must_use]
    pub fn path_of(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// The names of all entries, as far as they can be read where the folder was when it was opened.
    #[must_use]
    pub fn names(&self) -> Vec<OsString> {
        // A folder that can be entered need not be readable.
        let entries = std::fs::read_dir(&self.path).into_iter().flatten();
        entries.flatten().map(|entry| entry.file_name()).collect()
    }

    /// Which file has this name; `None` where there is no such name.
    pub fn look(&self, name: &OsStr) -> io::Result<Option<Inode>> {
        match fstatat(&*self.descriptor, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(Inode {
                device: found.st_dev,
                number: found.st_ino,
            })),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens an entry.
    pub(crate) fn open(&self, name: &OsStr, access: Access) -> io::Result<File> {
        let how = match access {
            Access::ReadOnly => OFlag::O_RDONLY,
            Access::ReadWrite => OFlag::O_RDWR,
        };
        self.open_with(name, how | OFlag::O_NONBLOCK, Mode::empty())
    }

    /// Makes a file; an existing entry is left alone.
    pub(crate) fn create(&self, name: &OsStr) -> io::Result<File> {
        let how = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL;
        self.open_with(name, how, NEW_FILE_MODE)
    }

    fn open_with(&self, name: &OsStr, how: OFlag, mode: Mode) -> io::Result<File> {
        let how = how | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
        Ok(openat(&*self.descriptor, name, how, mode)?.into())
    }

    /// Gives an entry a name that nobody has, perhaps in another folder: `AlreadyExists` where somebody has it.
    pub fn rename_to_new(&self, name: &OsStr, to: &Folder, new: &OsStr) -> io::Result<()> {
        let (from, into) = (&*self.descriptor, &*to.descriptor);
        match renameat2(from, name, into, new, RenameFlags::RENAME_NOREPLACE) {
            // The file system can't. Whoever takes the name between these two calls loses it.
            Err(Errno::EINVAL | Errno::ENOSYS) => match to.look(new)? {
                Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
                None => Ok(renameat(from, name, into, new)?),
            },
            done => Ok(done?),
        }
    }

    /// Exchanges two entries at one stroke; `false` where the file system can't.
    pub fn exchange(&self, one: &OsStr, other: &OsStr) -> io::Result<bool> {
        let folder = &*self.descriptor;
        match renameat2(folder, one, folder, other, RenameFlags::RENAME_EXCHANGE) {
            Err(Errno::EINVAL | Errno::ENOSYS) => Ok(false),
            done => Ok(done.map(|()| true)?),
        }
    }

    /// Gives an entry the name of another one, which is gone then.
    pub fn rename_over(&self, name: &OsStr, old: &OsStr) -> io::Result<()> {
        let folder = &*self.descriptor;
        Ok(renameat(folder, name, folder, old)?)
    }

    /// Removes an entry that still leads to this file; `false` where it does not.
    pub fn remove(&self, name: &OsStr, expected: Inode) -> io::Result<bool> {
        if self.look(name)? != Some(expected) {
            return Ok(false);
        }
        unlinkat(&*self.descriptor, name, UnlinkatFlags::NoRemoveDir)?;
        Ok(true)
    }

    /// Opens the folder for [`FolderSync::sync`]: it may be one that can be entered, and not read.
    pub fn for_sync(&self) -> io::Result<FolderSync> {
        let how = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let opened = openat(&*self.descriptor, c".", how, Mode::empty())?;
        Ok(FolderSync(opened.into()))
    }

    /// Returns when all names are on stable storage.
    pub fn sync(&self) -> io::Result<()> {
        self.for_sync()?.sync()
    }
}

/// A folder whose names can be committed.
#[derive(Debug)]
pub struct FolderSync(File);

impl FolderSync {
    /// Returns when all names are on stable storage.
    pub fn sync(&self) -> io::Result<()> {
        match self.0.sync_all() {
            // Some file systems (9p, hostfs) can't commit a folder; nor could anybody else.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
                ) =>
            {
                Ok(())
            }
            done => done,
        }
    }
}
