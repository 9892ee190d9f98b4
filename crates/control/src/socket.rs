//! Unix sockets that the daemon listens on: made with their rights, in the place of a dead daemon's, and removed
//! at the end.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::unistd::{Gid, Group, User, chown, geteuid};

impl SocketGroup {
    /// Its name, as messages say it; `None` for the daemon's own.
    #[must_use]
    pub fn name(self) -> Option<String> {
        match self {
            SocketGroup::Own => None,
            SocketGroup::Wanted(gid) | SocketGroup::Needed(gid) => {
                let found = Group::from_gid(Gid::from_raw(gid)).ok().flatten();
                Some(found.map_or_else(|| gid.to_string(), |group| group.name))
            }
        }
    }
}

/// Who may do what on a control socket, for a person: `lent` is what others than root and the daemon's user may name.
#[must_use]
pub fn rights_in_words(group: SocketGroup, mode: u32, lent: &str) -> String {
    let own = match geteuid() {
        uid if uid.is_root() => "root".to_owned(),
        uid => {
            let found = User::from_uid(uid).ok().flatten();
            let name = found.map_or_else(|| uid.to_string(), |user| user.name);
            format!("root and {name}")
        }
    };
    let group = group.name();
    let others = match (group, mode & 0o060 == 0o060, mode & 0o006 == 0o006) {
        (_, _, true) => "everybody else".to_owned(),
        (Some(group), true, false) => format!("group {group}"),
        (None, true, false) => "the daemon's group".to_owned(),
        (_, false, false) => return format!("{own} may name any volume, nobody else connects"),
    };
    format!("{own} may name any volume, {others} what is lent: {lent}")
}

/// What a socket is for, and who may connect.
#[derive(Clone, Copy, Debug)]
pub struct Purpose {
    /// In messages: "the control socket".
    pub what: &'static str,
    /// In messages: how another place is named.
    pub option: &'static str,
    /// Permission bits.
    pub mode: u32,
    /// Group.
    pub group: SocketGroup,
}

/// Which group a socket belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketGroup {
    /// The daemon's own.
    Own,
    /// This one where the system lets the daemon give it away, else the daemon's own.
    Wanted(u32),
    /// This one.
    Needed(u32),
}

/// A socket that is listened on; removed when dropped.
#[derive(Debug)]
pub struct Socket {
    /// What it listens with.
    pub listener: UnixListener,
    path: PathBuf,
}

/// Why a socket can't be listened on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Something about the socket or its directory failed.
    #[error("can't {action} {} for {what}: {option} names another place", path.display())]
    Failed {
        /// What failed.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the socket is for.
        what: &'static str,
        /// How another place is named.
        option: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// Something else is there.
    #[error("{} exists and is no socket: {option} names another place", path.display())]
    NoSocket {
        /// The file.
        path: PathBuf,
        /// How another place is named.
        option: &'static str,
    },
    /// Another daemon answers there.
    #[error("another daemon answers on {}: stop it, or name another place with {option}", path.display())]
    Taken {
        /// The socket.
        path: PathBuf,
        /// How another place is named.
        option: &'static str,
    },
    /// No thread for it.
    #[error("can't start the thread of {what}: {source}")]
    Thread {
        /// What the socket is for.
        what: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

impl Purpose {
    /// The error of an action on the socket or its directory.
    fn failed(self, action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ListenError {
        move |source| ListenError::Failed {
            action,
            path: path.to_owned(),
            what: self.what,
            option: self.option,
            source,
        }
    }
}

impl Socket {
    /// Listens, taking the place of a dead daemon's socket.
    pub fn listen(path: &Path, purpose: Purpose) -> Result<Socket, ListenError> {
        if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            fs::create_dir_all(directory).map_err(purpose.failed("make directory", directory))?;
        }
        clear_place(path, purpose)?;
        let listener = UnixListener::bind(path).map_err(purpose.failed("listen on", path))?;
        let socket = Socket {
            listener,
            path: path.to_owned(),
        };
        // Group first: the mode may give it rights that the old group must not have.
        let give = |gid| chown(path, None, Some(Gid::from_raw(gid)));
        match purpose.group {
            SocketGroup::Own => {}
            SocketGroup::Wanted(gid) => {
                if let Err(errno) = give(gid) {
                    log::info!(
                        "{}: group {gid}: {errno}: it keeps the daemon's",
                        path.display()
                    );
                }
            }
            SocketGroup::Needed(gid) => {
                give(gid)
                    .map_err(|errno| purpose.failed("set the group of", path)(errno.into()))?;
            }
        }
        fs::set_permissions(path, PermissionsExt::from_mode(purpose.mode))
            .map_err(purpose.failed("set the mode of", path))?;
        Ok(socket)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            log::debug!("{}: {error}", self.path.display());
        }
    }
}

/// Removes what a dead daemon left; refuses where one answers, or where the file is something else.
fn clear_place(path: &Path, purpose: Purpose) -> Result<(), ListenError> {
    let (path_buf, option) = (path.to_owned(), purpose.option);
    match fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(metadata) if !metadata.file_type().is_socket() => Err(ListenError::NoSocket {
            path: path_buf,
            option,
        }),
        Ok(_) if UnixStream::connect(path).is_ok() => Err(ListenError::Taken {
            path: path_buf,
            option,
        }),
        Ok(_) => fs::remove_file(path).map_err(purpose.failed("remove the dead socket", path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_said_by_group_and_mode() {
        let words = |group, mode| rights_in_words(group, mode, "/srv/tapes");
        let root = words(SocketGroup::Needed(0), 0o660);
        assert!(root.starts_with("root"), "{root}");
        assert!(
            root.ends_with("may name any volume, group root what is lent: /srv/tapes"),
            "{root}"
        );
        assert!(words(SocketGroup::Own, 0o660).contains("the daemon's group what"));
        assert!(words(SocketGroup::Own, 0o666).contains("everybody else what"));
        assert!(words(SocketGroup::Needed(0), 0o600).contains("nobody else connects"));
    }
}
