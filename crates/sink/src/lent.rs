//! What somebody may name who has no authority of his own: a daemon opens it with its own rights, so a list says what.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::unistd::geteuid;

use crate::sink::{ImageSink, Location, RmtSink, Sink};

/// Permissions by which others than the owner of a folder can change it.
const OTHERS_WRITE: u32 = 0o022;
/// In such a folder nobody can remove what is somebody else's.
const STICKY: u32 = 0o1000;

/// What may be named, as a configuration lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lent {
    /// Folders whose images may be named, also new ones. Paths are absolute and have no `..`.
    pub folders: Vec<PathBuf>,
    /// Tape nodes.
    pub devices: Vec<PathBuf>,
    /// Files of keys.
    pub keys: Vec<PathBuf>,
    /// `[USER@]HOST:TAPE`, or `[USER@]HOST:` for every tape of a host.
    pub remotes: Vec<String>,
    /// Programs, each as it stands behind `rsh=`, `server=` or `command=`.
    pub programs: Vec<String>,
}

/// Why a volume is refused. Nothing here tells whether a file is there that is not lent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotLent {
    /// It is on no list.
    #[error(
        "{what} '{name}' is not lent to others than root and the daemon's own user: '{key}' of [control] in the \
         daemon's configuration lists what is ({})",
        listed(lent)
    )]
    Unlisted {
        /// What it would be.
        what: &'static str,
        /// Its name.
        name: String,
        /// The list.
        key: &'static str,
        /// What is on it.
        lent: Vec<String>,
    },
    /// A link or `..` beneath a lent folder.
    #[error("'{}' leads over a link or '..': beneath a lent folder only folders are followed", path.display())]
    Link {
        /// The path.
        path: PathBuf,
    },
    /// Something else than a file beneath a lent folder.
    #[error(
        "'{}' is no regular file: of a lent folder only images are lent ('devices' of [control] lists tape nodes)",
        path.display()
    )]
    NoFile {
        /// The path.
        path: PathBuf,
    },
    /// Somebody could put another file there meanwhile.
    #[error(
        "'{}' is not lent: others than root and the daemon's own user can write in {}: chmod go-w {0}, or chown it",
        path.display(), folder.display()
    )]
    Open {
        /// The path.
        path: PathBuf,
        /// The folder that is open to others.
        folder: PathBuf,
    },
    /// A name without a folder that is found nowhere.
    #[error(
        "there is no volume '{}': it is not where the command runs, and in no folder that 'folders' of [control] lists \
         ({})",
        name.display(), listed(lent)
    )]
    NoVolume {
        /// The name.
        name: PathBuf,
        /// The folders.
        lent: Vec<String>,
    },
    /// The system does not let the path be looked at.
    #[error("'{}': {errno}", path.display())]
    Failed {
        /// The path.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
}

fn listed(list: &[String]) -> String {
    match list {
        [] => "nothing".to_owned(),
        list => list.join(", "),
    }
}

/// All that is lent, for a person.
impl fmt::Display for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = [&self.folders, &self.devices, &self.keys];
        let mut all: Vec<String> = paths.into_iter().flat_map(|list| shown(list)).collect();
        all.extend(self.remotes.iter().chain(&self.programs).cloned());
        f.write_str(&listed(&all))
    }
}

fn shown(list: &[PathBuf]) -> Vec<String> {
    list.iter().map(|path| path.display().to_string()).collect()
}

impl Lent {
    /// The sink that is meant: a relative path is one beneath a lent folder, the first that has it.
    pub fn find(&self, sink: &Sink) -> Result<Sink, NotLent> {
        let mut sink = sink.clone();
        let (path, create) = match &mut sink.place {
            Location::Path(path) => (path, false),
            Location::Image(ImageSink { path, create, .. }) => (path, *create),
            Location::Device(_) | Location::Rmt(_) | Location::Null(_) => return Ok(sink),
        };
        if path.is_absolute() {
            return Ok(sink);
        }
        let there = |folder: &&PathBuf| folder.join(&*path).symlink_metadata().is_ok();
        let new = self.folders.first().filter(|_| create);
        let Some(folder) = self.folders.iter().find(there).or(new) else {
            return Err(NotLent::NoVolume {
                name: path.clone(),
                lent: shown(&self.folders),
            });
        };
        *path = folder.join(&*path);
        Ok(sink)
    }

    /// Whether everything that the sink names is lent. What passes can't lead elsewhere later: nobody but root and the
    /// daemon's own user can change the folders on its way.
    pub fn check(&self, sink: &Sink) -> Result<(), NotLent> {
        if let Some(key) = &sink.key_file {
            listed_path("the key file", key, "keys", &self.keys)?;
        }
        match &sink.place {
            Location::Path(path) if self.devices.contains(path) => Ok(()),
            Location::Path(path) | Location::Image(ImageSink { path, .. }) => self.beneath(path),
            Location::Device(path) => listed_path("the device", path, "devices", &self.devices),
            Location::Rmt(rmt) => self.check_remote(rmt),
            Location::Null(_) => Ok(()),
        }
    }

    fn check_remote(&self, rmt: &RmtSink) -> Result<(), NotLent> {
        let RmtSink {
            tape,
            server,
            remote_shell,
            command,
        } = rmt;
        let of_host = |lent: &String| {
            lent.ends_with(':')
                && tape
                    .split_once(':')
                    .is_some_and(|(host, _)| lent.strip_suffix(':') == Some(host))
        };
        if !self
            .remotes
            .iter()
            .any(|lent| lent == tape || of_host(lent))
        {
            return Err(NotLent::Unlisted {
                what: "the remote tape",
                name: tape.clone(),
                key: "remotes",
                lent: self.remotes.clone(),
            });
        }
        for program in [server, remote_shell, command].into_iter().flatten() {
            if !self.programs.contains(program) {
                return Err(NotLent::Unlisted {
                    what: "the program",
                    name: program.clone(),
                    key: "programs",
                    lent: self.programs.clone(),
                });
            }
        }
        Ok(())
    }

    /// Whether a path leads to a file beneath a lent folder, or to a place for one.
    fn beneath(&self, path: &Path) -> Result<(), NotLent> {
        let unlisted = || NotLent::Unlisted {
            what: "the image",
            name: path.display().to_string(),
            key: "folders",
            lent: shown(&self.folders),
        };
        let inside = |folder: &PathBuf| {
            let rest = path.strip_prefix(folder).ok()?;
            (!rest.as_os_str().is_empty()).then(|| (folder.clone(), rest.to_owned()))
        };
        // The innermost one: another may be a link's target, or more open.
        let folder = self
            .folders
            .iter()
            .filter_map(inside)
            .max_by_key(|(folder, _)| folder.components().count());
        let (folder, rest) = folder.ok_or_else(unlisted)?;
        if !rest
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
        {
            return Err(NotLent::Link {
                path: path.to_owned(),
            });
        }
        let real = folder.canonicalize().map_err(|_| unlisted())?;
        check_way(path, &real)?;
        let failed = |errno| NotLent::Failed {
            path: path.to_owned(),
            errno,
        };
        let directory = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = nix::fcntl::open(&real, directory, Mode::empty()).map_err(failed)?;
        for inner in rest
            .ancestors()
            .skip(1)
            .filter(|inner| !inner.as_os_str().is_empty())
        {
            let found = match resolve(&root, inner, directory) {
                // A missing folder: the opening says so.
                Err(Errno::ENOENT) => return Ok(()),
                found => found.map_err(|errno| refused(path, errno))?,
            };
            let status = fstat(&found).map_err(failed)?;
            check_folder(path, &folder.join(inner), status.st_uid, status.st_mode)?;
        }
        match resolve(
            &root,
            &rest,
            OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC,
        ) {
            Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(refused(path, errno)),
            Ok(file) => match kind(&fstat(&file).map_err(failed)?) {
                SFlag::S_IFREG => Ok(()),
                // With O_PATH and O_NOFOLLOW the kernel opens a link itself.
                SFlag::S_IFLNK => Err(NotLent::Link {
                    path: path.to_owned(),
                }),
                _ => Err(NotLent::NoFile {
                    path: path.to_owned(),
                }),
            },
        }
    }
}

fn kind(status: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT
}

fn refused(path: &Path, errno: Errno) -> NotLent {
    let path = path.to_owned();
    match errno {
        Errno::ELOOP | Errno::EXDEV | Errno::ENOTDIR => NotLent::Link { path },
        errno => NotLent::Failed { path, errno },
    }
}

fn listed_path(
    what: &'static str,
    path: &Path,
    key: &'static str,
    list: &[PathBuf],
) -> Result<(), NotLent> {
    if list.iter().any(|lent| lent == path) {
        return Ok(());
    }
    Err(NotLent::Unlisted {
        what,
        name: path.display().to_string(),
        key,
        lent: shown(list),
    })
}

/// Whether nobody else can put another folder in the place of the lent one.
fn check_way(path: &Path, folder: &Path) -> Result<(), NotLent> {
    for (height, folder) in folder.ancestors().enumerate() {
        let metadata = fs::metadata(folder).map_err(|error| NotLent::Failed {
            path: path.to_owned(),
            errno: Errno::from_raw(error.raw_os_error().unwrap_or(0)),
        })?;
        let mode = metadata.mode();
        // Above, only the folder itself must not be moved away; a sticky folder sees to that.
        let mode = if height > 0 && mode & STICKY != 0 {
            mode & !OTHERS_WRITE
        } else {
            mode
        };
        check_folder(path, folder, metadata.uid(), mode)?;
    }
    Ok(())
}

/// Whether nobody but root and the daemon's own user can change the names in a folder.
fn check_folder(path: &Path, folder: &Path, uid: u32, mode: u32) -> Result<(), NotLent> {
    let ours = uid == 0 || uid == geteuid().as_raw();
    if ours && mode & OTHERS_WRITE == 0 {
        return Ok(());
    }
    Err(NotLent::Open {
        path: path.to_owned(),
        folder: folder.to_owned(),
    })
}

/// Opens what is beneath a folder without leaving it and without following any link.
fn resolve(folder: &OwnedFd, rest: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
    let how = OpenHow::new().flags(flags).resolve(
        ResolveFlag::RESOLVE_BENEATH
            | ResolveFlag::RESOLVE_NO_SYMLINKS
            | ResolveFlag::RESOLVE_NO_MAGICLINKS,
    );
    match openat2(folder, rest, how) {
        // Linux before 5.6, or a filter of system calls that does not know the call.
        Err(Errno::ENOSYS | Errno::EPERM) => walk(folder, rest, flags),
        opened => opened,
    }
}

/// The same, folder by folder.
fn walk(folder: &OwnedFd, rest: &Path, flags: OFlag) -> Result<OwnedFd, Errno> {
    let inner = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut at = folder
        .try_clone()
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
    let mut parts = rest.components().peekable();
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else {
            return Err(Errno::EXDEV);
        };
        let flags = if parts.peek().is_some() {
            inner
        } else {
            flags | OFlag::O_NOFOLLOW
        };
        at = openat(&at, OsStr::new(name), flags, Mode::empty())?;
    }
    Ok(at)
}

#[cfg(test)]
#[path = "lent_test.rs"]
mod tests;
