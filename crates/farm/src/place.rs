//! The folder of a volume, held open: what is renamed or replaced above it leads nobody elsewhere.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::fs::{
    AtFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags, flock, fstat, mkdir, open,
    openat, readlinkat, renameat, renameat_with, statat, syncfs, unlinkat,
};
use rustix::io::Errno;

use crate::error::{Error, Fault};
use crate::names::LOST_AND_FOUND;
use crate::step::{Step, Steps};
use crate::structure::Structure;

/// Readable and writable as far as the umask lets it be.
const NEW_FILE: Mode = Mode::from_raw_mode(0o666);
/// A folder, and no link to one.
const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
const NEW_FOLDER: Mode = Mode::from_raw_mode(0o777);

mod below;

/// A folder with the files of one volume. Names are those of entries: no slash, and no symbolic link is followed.
#[derive(Debug)]
pub(crate) struct Place {
    folder: OwnedFd,
    path: PathBuf,
    steps: Steps,
    standing: Standing,
    /// Where capsules lie, in a structured volume. In others they lie beside the directory.
    structure: Option<Mutex<Structure>>,
}

/// Where the folder of a volume stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// A link in the root leads to it.
    pub(crate) is_redirected: bool,
    /// It is in another file system than the root: something is mounted there, or where the link leads.
    pub(crate) is_elsewhere: bool,
}

/// Whether folders are made that are not there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Making {
    Folders,
    No,
}

/// A folder that was looked for.
pub(crate) enum Sought {
    Found(Place),
    Absent,
}

impl Place {
    /// Opens the folder of a volume.
    pub(crate) fn seek(path: &Path, steps: Steps) -> Result<Sought, Error> {
        let (folder, is_redirected) = match open(path, FOLDER, Mode::empty()) {
            Ok(folder) => (folder, false),
            Err(Errno::NOENT) => return Ok(Sought::Absent),
            Err(Errno::NOTDIR | Errno::LOOP) => (redirected(path)?, true),
            Err(errno) => return Err(Error::host("open", path, errno)),
        };
        let found = fstat(&folder).map_err(|errno| Error::host("look at", path, errno))?;
        let root = root_of(path)?;
        Ok(Sought::Found(Place {
            folder,
            path: path.to_owned(),
            steps,
            standing: Standing {
                is_redirected,
                is_elsewhere: found.st_dev != root.st_dev,
            },
            structure: None,
        }))
    }

    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }

    /// Makes the folder; `false` where something has its name.
    pub(crate) fn make(path: &Path) -> Result<bool, Error> {
        match mkdir(path, NEW_FOLDER) {
            Ok(()) => {
                let parent = path.parent().unwrap_or(Path::new("."));
                let synced = File::open(parent).and_then(|parent| sync_names(&parent));
                synced.map_err(|error| Error::host("commit", parent, error))?;
                Ok(true)
            }
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(Error::host("make", path, errno)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        let (folder, name) = self.parts(name);
        self.path.join(folder).join(name)
    }

    pub(crate) fn steps(&self) -> &Steps {
        &self.steps
    }

    /// Device and number of the folder.
    pub(crate) fn identity(&self) -> Result<(u64, u64), Error> {
        let found =
            fstat(&self.folder).map_err(|errno| Error::host("look at", &self.path, errno))?;
        Ok((found.st_dev, found.st_ino))
    }

    /// Keeps other writers out as long as this place lives; `false` where one is in.
    pub(crate) fn lock(&self) -> Result<bool, Error> {
        match flock(&self.folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(errno) => Err(Error::host("lock", &self.path, errno)),
        }
    }

    /// Whether a writer is in. It asks who holds the lock first, since a try could be in the way of a writer that waits
    /// for nothing; by this place the lock must not be held.
    pub(crate) fn is_locked(&self) -> Result<bool, Error> {
        if crate::holder::of_lock(self.identity()?).is_some() {
            return Ok(true);
        }
        match flock(&self.folder, FlockOperation::NonBlockingLockShared) {
            Ok(()) => {
                let free = flock(&self.folder, FlockOperation::Unlock);
                free.map_err(|errno| Error::host("unlock", &self.path, errno))?;
                Ok(false)
            }
            Err(Errno::WOULDBLOCK) => Ok(true),
            Err(errno) => Err(Error::host("lock", &self.path, errno)),
        }
    }

    /// The same folder, opened once more: without the lock, and without what is known of its inner folders.
    pub(crate) fn again(&self) -> io::Result<Place> {
        Ok(Place {
            folder: openat(&self.folder, ".", FOLDER, Mode::empty())?,
            path: self.path.clone(),
            steps: self.steps.clone(),
            standing: self.standing,
            structure: None,
        })
    }

    /// Whether the folder is there; who held its lock may have deleted it.
    pub(crate) fn is_there(&self) -> Result<bool, Error> {
        let found =
            fstat(&self.folder).map_err(|errno| Error::host("look at", &self.path, errno))?;
        Ok(found.st_nlink > 0)
    }

    /// The names of all entries that are text; those of a farm are. Of a structured volume those in its folders too:
    /// a capsule that lies where it should has its name alone, and everything else its path. Of others, a folder with
    /// capsules gives their paths.
    pub(crate) fn names(&self) -> Result<Vec<String>, Error> {
        if self.is_structured() {
            return self.names_below();
        }
        let failed = |errno: Errno| Error::host("list", &self.path, errno);
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            let is_folder = match entry.file_type() {
                FileType::Directory => true,
                FileType::Unknown => openat(&self.folder, name, FOLDER, Mode::empty()).is_ok(),
                _ => false,
            };
            match name {
                "." | ".." => {}
                name if is_folder && name != LOST_AND_FOUND => names.extend(self.names_in(name)?),
                name => names.push(name.to_owned()),
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Opens a regular file for reading.
    pub(crate) fn open(&self, name: &str) -> Result<File, Fault> {
        let how = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let (folder, last) = match self.within(name, Making::No) {
            Ok(within) => within,
            Err(Errno::NOENT) => return Err(Fault::Absent),
            Err(Errno::NOTDIR | Errno::LOOP) => return Err(Fault::Folder),
            Err(errno) => return Err(Fault::Host(errno.into())),
        };
        let file = match openat(folder, last, how, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Err(Fault::Absent),
            Err(Errno::LOOP) => return Err(Fault::Kind("a symbolic link")),
            Err(Errno::NXIO) => return Err(Fault::Kind("a socket or a device")),
            Err(errno) => return Err(Fault::Host(errno.into())),
        };
        let found = fstat(&file).map_err(|errno| Fault::Host(errno.into()))?;
        match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile => Ok(file.into()),
            other => Err(Fault::Kind(what(other))),
        }
    }

    /// Makes a file to write and read, under a name that is only used for what is not finished: what has it goes.
    pub(crate) fn create(&self, name: &str) -> Result<File, Error> {
        let how = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let (folder, last) = self
            .within(name, Making::Folders)
            .map_err(|errno| self.failed("make the folder of", name, errno))?;
        let make = || openat(&folder, last, how, NEW_FILE);
        let file = match make() {
            Err(Errno::EXIST) => {
                self.remove(name)?;
                make()
            }
            made => made,
        };
        Ok(file
            .map_err(|errno| self.failed("make", name, errno))?
            .into())
    }

    /// Puts one file on stable storage.
    pub(crate) fn sync_file(&self, name: &str, file: &File) -> Result<(), Error> {
        let synced = file.sync_all();
        let told = synced.and_then(|()| self.steps.tell(Step::SyncedFile { name }));
        told.map_err(|error| self.failed("commit", name, error))
    }

    /// Puts all that was written to the file system on stable storage.
    pub(crate) fn sync_files(&self) -> Result<(), Error> {
        let synced = syncfs(&self.folder).map_err(io::Error::from);
        let told = synced.and_then(|()| self.steps.tell(Step::SyncedFiles));
        told.map_err(|error| Error::host("commit the files of", &self.path, error))
    }

    /// Puts all names on stable storage.
    pub(crate) fn sync_names(&self) -> Result<(), Error> {
        let synced = sync_names(&self.folder).and_then(|()| self.sync_touched());
        let told = synced.and_then(|()| self.steps.tell(Step::SyncedNames));
        told.map_err(|error| Error::host("commit the names of", &self.path, error))
    }

    /// Gives a file a name that nobody has.
    pub(crate) fn rename_new(&self, from: &str, to: &str) -> Result<(), Error> {
        let (folder, last) = self
            .within(to, Making::No)
            .map_err(|errno| self.failed("open the folder of", to, errno))?;
        let (_, first) = self.parts(from);
        let folder = &folder;
        let renamed = match renameat_with(folder, first, folder, last, RenameFlags::NOREPLACE) {
            // The file system can't; the lock keeps others out.
            Err(Errno::INVAL | Errno::NOSYS) => {
                match openat(folder, last, OFlags::PATH, Mode::empty()) {
                    Ok(_) => Err(Errno::EXIST),
                    Err(Errno::NOENT) => renameat(folder, first, folder, last),
                    Err(errno) => Err(errno),
                }
            }
            done => done,
        };
        self.touch(to);
        self.told_renamed(renamed, from, to)
    }

    /// Gives a file the name of another one, which is gone then.
    pub(crate) fn rename_over(&self, from: &str, to: &str) -> Result<(), Error> {
        let renamed = renameat(&self.folder, from, &self.folder, to);
        self.told_renamed(renamed, from, to)
    }

    fn told_renamed(&self, renamed: Result<(), Errno>, from: &str, to: &str) -> Result<(), Error> {
        let told = renamed.map_err(io::Error::from);
        let told = told.and_then(|()| self.steps.tell(Step::Renamed { from, to }));
        told.map_err(|error| self.failed("rename to", to, error))
    }

    /// Removes a file; it is well if nothing has its name.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Error> {
        let found = self.within(name, Making::No);
        self.touch(name);
        let unlinked = found.and_then(|(folder, last)| unlinkat(folder, last, AtFlags::empty()));
        let removed = match unlinked {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        };
        let told = removed.and_then(|()| self.steps.tell(Step::Removed { name }));
        told.map_err(|error| self.failed("remove", name, error))
    }

    /// Whether a folder has this name, and not a link to one.
    pub(crate) fn is_folder(&self, name: &str) -> bool {
        let found = self.within(name, Making::No);
        let found =
            found.and_then(|(folder, last)| statat(folder, last, AtFlags::SYMLINK_NOFOLLOW));
        found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Directory)
    }

    /// Removes the folder itself, which has to be empty. Where something is mounted, or a link leads to it, it stays:
    /// it is not the farm's.
    pub(crate) fn remove_folder(&self) -> Result<(), Error> {
        self.remove_folders()?;
        self.sync_names()?;
        if self.standing.is_redirected || self.standing.is_elsewhere {
            return Ok(());
        }
        let removed = std::fs::remove_dir(&self.path);
        removed.map_err(|error| Error::host("remove", &self.path, error))
    }

    pub(crate) fn failed(
        &self,
        action: &'static str,
        name: &str,
        error: impl Into<io::Error>,
    ) -> Error {
        Error::host(action, self.path_of(name), error)
    }
}

impl Drop for Place {
    /// Gives the lock back. A close alone would leave the lock for as long as a child process of this one shares the
    /// open folder, from its fork to its exec, and whoever changes the volume next would find it busy.
    fn drop(&mut self) {
        // Where that fails, the close does it.
        flock(&self.folder, FlockOperation::Unlock).ok();
    }
}

/// The folder to which a link in the root leads. Only who could give the root another volume as well may lead there.
fn redirected(path: &Path) -> Result<OwnedFd, Error> {
    let failed = |errno: Errno| Error::host("look at", path, errno);
    let how = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let link = open(path, how, Mode::empty()).map_err(failed)?;
    let found = fstat(&link).map_err(failed)?;
    let kind = FileType::from_raw_mode(found.st_mode);
    if kind != FileType::Symlink {
        return Err(Error::NoFolder {
            path: path.to_owned(),
            what: what(kind),
        });
    }
    let user = nix::unistd::geteuid().as_raw();
    if !is_trusted(found.st_uid, user, root_of(path)?.st_uid) {
        return Err(Error::Untrusted {
            path: path.to_owned(),
            user: found.st_uid,
        });
    }
    let target = readlinkat(&link, "", Vec::new()).map_err(failed)?;
    let target = Path::new(std::ffi::OsStr::from_bytes(target.as_bytes()));
    let target = path.parent().unwrap_or(Path::new(".")).join(target);
    open(&target, FOLDER, Mode::empty()).map_err(|errno| Error::Redirected {
        path: path.to_owned(),
        target,
        source: errno.into(),
    })
}

/// Whose links are followed: the administrator's, this user's own, and those of who has the root.
fn is_trusted(link: u32, user: u32, root: u32) -> bool {
    link == 0 || link == user || link == root
}

/// The root in which a volume is.
fn root_of(path: &Path) -> Result<rustix::fs::Stat, Error> {
    let root = path.parent().unwrap_or(Path::new("."));
    rustix::fs::stat(root).map_err(|errno| Error::host("look at", root, errno))
}

/// Some file systems (9p, hostfs) can't commit a folder; nor could anybody else.
fn sync_names(folder: impl AsFd) -> io::Result<()> {
    match rustix::fs::fsync(folder) {
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(()),
        done => Ok(done?),
    }
}

/// What a file is, for messages.
pub(crate) fn what(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a regular file",
        FileType::Directory => "a folder",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice => "a character device",
        FileType::BlockDevice => "a block device",
        FileType::Unknown => "something unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CW-52: a link that somebody else made leads nobody anywhere.
    #[test]
    fn links_of_others_are_not_followed() {
        let (admin, ada, bob) = (0, 1000, 1001);
        for (link, user, root, followed) in [
            (admin, ada, bob, true),
            (ada, ada, admin, true),
            (bob, ada, bob, true),
            (bob, ada, admin, false),
            (bob, admin, admin, false),
            (ada, admin, bob, false),
        ] {
            assert_eq!(
                is_trusted(link, user, root),
                followed,
                "{link} {user} {root}"
            );
        }
    }

    /// As a child process between its fork and its exec: a test beside others that ran `tar` found a volume busy that
    /// nobody had any more.
    #[test]
    fn a_closed_folder_is_free_although_another_descriptor_shares_its_lock() {
        let folder = tempfile::tempdir().expect("a directory for temporary files");
        let open = || match Place::seek(folder.path(), Steps::default()) {
            Ok(Sought::Found(place)) => place,
            Ok(Sought::Absent) | Err(_) => panic!("the folder is there"),
        };
        let first = open();
        assert!(first.lock().expect("a lock"));
        let shared = first.folder.try_clone().expect("a descriptor");
        let second = open();
        assert!(!second.lock().expect("an answer"), "one is in");
        drop(first);
        assert!(second.lock().expect("a lock"), "it is free");
        drop(shared);
    }
}
