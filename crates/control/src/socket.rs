//! Unix sockets that the daemon listens on: made with their rights, in the place of a dead daemon's, and removed
//! at the end.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::unistd::{Gid, chown};

/// What a socket is for, and who may connect.
#[derive(Clone, Copy, Debug)]
pub struct Purpose {
    /// In messages: "the control socket".
    pub what: &'static str,
    /// In messages: how another place is named.
    pub option: &'static str,
    /// Permission bits.
    pub mode: u32,
    /// Group; `None`: the daemon's.
    pub gid: Option<u32>,
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
        if let Some(gid) = purpose.gid {
            chown(path, None, Some(Gid::from_raw(gid)))
                .map_err(|errno| purpose.failed("set the group of", path)(errno.into()))?;
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
