//! Which sessions a farm has: a file for each, with whom it serves, so that a busy volume can name who holds it, and
//! somebody can end it.
//!
//! A session holds a lock on its file. So the file of one that was killed is known for what it is, also when another
//! process has its number since.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use pseudotape_farm::Holder;
use pseudotape_human::printable;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::access::Person;

/// The folder in the root with a file for each session: a name that no volume has.
const SESSIONS_NAME: &str = ".sessions";
/// The longest of these files that is read.
const MAX_FILE_BYTES: u64 = 4096;
/// So long whoever lists sessions may look at a file.
const LOOK: Duration = Duration::from_millis(10);
const LOOKS: u32 = 1000;

/// The file of this session, which goes with it.
pub(crate) struct Presence(Option<(PathBuf, Flock<File>)>);

impl Presence {
    /// Says who is served. A root that can't be written has no such files, and no volume that is changed either.
    pub(crate) fn begin(root: &Path, person: &Person, way: &str) -> Self {
        let folder = root.join(SESSIONS_NAME);
        let path = folder.join(std::process::id().to_string());
        // It is there, or the file can't be made either.
        fs::create_dir(&folder).ok();
        match Presence::write(&path, person, way) {
            Ok(file) => Presence(Some((path, file))),
            Err(error) => {
                log::debug!("{}: {error}", path.display());
                Presence(None)
            }
        }
    }

    fn write(path: &Path, person: &Person, way: &str) -> io::Result<Flock<File>> {
        for _ in 0..LOOKS {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o644)
                .custom_flags(OFlag::O_NOFOLLOW.bits())
                .open(path)?;
            let mut file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(file) => file,
                // Somebody looks whether it is left over.
                Err((_, Errno::EWOULDBLOCK)) => {
                    std::thread::sleep(LOOK);
                    continue;
                }
                Err((_, errno)) => return Err(errno.into()),
            };
            // He found that it was, and removed it.
            let is_this = fs::symlink_metadata(path)
                .and_then(|there| Ok(there.ino() == file.metadata()?.ino()));
            if !is_this.unwrap_or(false) {
                continue;
            }
            file.set_len(0)?;
            file.write_all(format!("{person}\n{way}\n").as_bytes())?;
            return Ok(file);
        }
        Err(io::Error::other("another session has this number"))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if let Some((path, _)) = &self.0
            && let Err(error) = fs::remove_file(path)
        {
            log::debug!("{}: {error}", path.display());
        }
    }
}

/// A session that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The number of its process.
    pub id: u32,
    /// Whom it serves.
    pub person: Person,
    /// By which way he came.
    pub way: String,
    /// When it began.
    pub since: SystemTime,
}

/// Why a session was not ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotEnded {
    /// There is none with this number.
    #[error("there is no session {id} of the farm {}: 'pseudotape-farm sessions' has those that are", root.display())]
    None {
        /// Which one.
        id: u32,
        /// The root.
        root: PathBuf,
    },
    /// Somebody else's.
    #[error("session {id} is that of another user's process: its user and root can end it")]
    NotYours {
        /// Which one.
        id: u32,
    },
    /// The host failed.
    #[error("can't end session {id}: {source}")]
    Host {
        /// Which one.
        id: u32,
        /// Why.
        source: io::Error,
    },
}

/// The sessions of a farm in the order of their numbers. Files that killed ones left are removed, where this user may.
pub fn sessions(root: &Path) -> io::Result<Vec<Session>> {
    let folder = root.join(SESSIONS_NAME);
    let names = match fs::read_dir(&folder) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A root that is not there has no sessions that could be told.
            fs::metadata(root)?;
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut sessions = Vec::new();
    for name in names {
        let name = name?.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let path = folder.join(&name);
        match look(&path, id) {
            Ok(Some(session)) => sessions.push(session),
            Ok(None) => log::debug!("{}: no session has it", path.display()),
            Err(error) => log::debug!("{}: {error}", path.display()),
        }
    }
    sessions.sort_by_key(|session| session.id);
    Ok(sessions)
}

/// The session whose file this is. Where it has ended without removing the file, it is removed now.
fn look(path: &Path, id: u32) -> io::Result<Option<Session>> {
    let file = open(path)?;
    match Flock::lock(file, FlockArg::LockSharedNonblock) {
        Ok(_held) => {
            fs::remove_file(path)?;
            Ok(None)
        }
        Err((file, Errno::EWOULDBLOCK)) => Ok(read(file, id)?),
        Err((_, errno)) => Err(errno.into()),
    }
}

fn open(path: &Path) -> io::Result<File> {
    let how = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    OpenOptions::new()
        .read(true)
        .custom_flags(how.bits())
        .open(path)
}

fn read(file: File, id: u32) -> io::Result<Option<Session>> {
    let since = file.metadata()?.modified()?;
    let mut text = String::new();
    file.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
    let mut lines = text.lines();
    let person = lines.next().and_then(|line| line.parse().ok());
    Ok(person.map(|person| Session {
        id,
        person,
        way: lines.next().unwrap_or_default().to_owned(),
        since,
    }))
}

/// Ends a session at once: what was told as added is in its volume, and its locks are free.
/// Nothing is signalled but the process that holds the file of that session.
pub fn end_session(root: &Path, id: u32, patience: Duration) -> Result<Session, NotEnded> {
    let none = || NotEnded::None {
        id,
        root: root.to_owned(),
    };
    let failed = |source| NotEnded::Host { id, source };
    let path = root.join(SESSIONS_NAME).join(id.to_string());
    // From here on the process can't be another one.
    let process = i32::try_from(id).ok().and_then(Pid::from_raw);
    let process = pidfd_open(process.ok_or_else(none)?, PidfdFlags::empty());
    let process = process.map_err(|errno| match errno {
        rustix::io::Errno::SRCH => none(),
        errno => failed(errno.into()),
    })?;
    let file = match open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(none()),
        opened => opened.map_err(failed)?,
    };
    // Whoever can write into the root can make such a file, and can hold it by a process of his own only.
    let metadata = file.metadata().map_err(failed)?;
    let holder = pseudotape_farm::lock_holder((metadata.dev(), metadata.ino()));
    if holder.is_none_or(|holder| holder.process != id) {
        return Err(none());
    }
    let session = read(file, id).map_err(failed)?.ok_or_else(none)?;
    let signal = |signal| match pidfd_send_signal(&process, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(rustix::io::Errno::PERM) => Err(NotEnded::NotYours { id }),
        Err(errno) => Err(failed(errno.into())),
    };
    for how in [Signal::TERM, Signal::KILL] {
        signal(how)?;
        if ended(&process, patience).map_err(failed)? {
            // It had no time to do so.
            look(&path, id).ok();
            return Ok(session);
        }
    }
    Err(failed(io::Error::new(
        io::ErrorKind::TimedOut,
        "its process does not end: it most likely waits for a disk",
    )))
}

fn ended(process: &impl std::os::fd::AsFd, patience: Duration) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let limit = Timespec::try_from(patience).map_err(io::Error::other)?;
    let moved = poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&limit))?;
    Ok(moved > 0)
}

/// Who holds a volume, in words: whom the session serves where it is one, else the process.
pub(crate) fn who(root: &Path, holder: Option<&Holder>) -> String {
    let Some(holder) = holder else {
        return "another command".to_owned();
    };
    let file = root.join(SESSIONS_NAME).join(holder.process.to_string());
    match look(&file, holder.process) {
        Ok(Some(session)) => format!(
            "{} (process {} on the farm's host)",
            printable(&session.person.to_string()),
            holder.process
        ),
        _ => format!("{holder} on the farm's host"),
    }
}
