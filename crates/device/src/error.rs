use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::errno::is_gone;

/// Why a node could not be opened as a drive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such node, or no drive behind it.
    #[error(
        "{}: no tape drive there ({errno}): is the drive on and its driver loaded ('modprobe st'), or the daemon of the pseudo tape running?",
        path.display()
    )]
    Missing {
        /// The node.
        path: PathBuf,
        /// The system's reason.
        errno: Errno,
    },
    /// Another program has the drive open: a tape can be open only once.
    #[error(
        "{0}: the drive is open in another program: end that one ('fuser -v {0}' names it) and try again",
        path.display()
    )]
    Busy {
        /// The node.
        path: PathBuf,
    },
    /// The permissions of the node forbid opening it.
    #[error(
        "{0}: no permission to open it: be root, or in the group that owns the node ('ls -l {0}')",
        path.display()
    )]
    NoPermission {
        /// The node.
        path: PathBuf,
    },
    /// The node does not support MTIOCGET, so it is not a tape.
    #[error(
        "{}: not a tape (MTIOCGET: {errno}): name a tape's non-rewinding node, such as /dev/nst0 or /dev/npmtm0",
        path.display()
    )]
    NotATape {
        /// The path that was given.
        path: PathBuf,
        /// The errno of MTIOCGET.
        errno: Errno,
    },
    /// A node that rewinds when it is closed.
    #[error(
        "{}: this node rewinds whenever it is closed: name the non-rewinding one, {}",
        path.display(),
        instead.display()
    )]
    Rewinds {
        /// The node.
        path: PathBuf,
        /// The non-rewinding node of the same drive.
        instead: PathBuf,
    },
    /// st's option `sili` is on: reads would truncate long blocks without an error.
    #[error(
        "{0}: st's option sili is on, so blocks would be cut in silence: as root, 'mt -f {0} stclearoptions sili'",
        path.display()
    )]
    CutsBlocks {
        /// The node.
        path: PathBuf,
    },
    /// The drive can't be switched to variable block mode.
    #[error(
        "{0}: the drive stays in fixed block mode ({errno}): 'mt -f {0} setblk 0' must work before it can be used",
        path.display()
    )]
    FixedBlocks {
        /// The node.
        path: PathBuf,
        /// The system's reason.
        errno: Errno,
    },
    /// Any other error of the system.
    #[error("{}: can't open the tape: {}", path.display(), errno.desc())]
    System {
        /// The node.
        path: PathBuf,
        /// The system's reason.
        errno: Errno,
    },
}

impl Error {
    /// The error for an errno of open(2).
    #[must_use]
    pub fn of_open(path: &Path, errno: Errno) -> Self {
        let path = path.to_owned();
        match errno {
            Errno::EBUSY => Error::Busy { path },
            Errno::EACCES | Errno::EPERM | Errno::EROFS => Error::NoPermission { path },
            Errno::ENOENT => Error::Missing { path, errno },
            errno if is_gone(errno) => Error::Missing { path, errno },
            errno => Error::System { path, errno },
        }
    }
}
