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
    /// A tape is open once at most.
    #[error(
        "{0}: the drive is open in another program: end that one ('fuser -v {0}' names it) and try again",
        path.display()
    )]
    Busy {
        /// The node.
        path: PathBuf,
    },
    /// The node's mode forbids it.
    #[error(
        "{0}: no permission to open it: be root, or in the group that owns the node ('ls -l {0}')",
        path.display()
    )]
    NoPermission {
        /// The node.
        path: PathBuf,
    },
    /// It does not answer as a tape does.
    #[error(
        "{}: not a tape (MTIOCGET: {errno}): name a tape's non-rewinding node, such as /dev/nst0 or /dev/npmtm0",
        path.display()
    )]
    NotATape {
        /// What was named.
        path: PathBuf,
        /// What it answered.
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
        /// Its non-rewinding sister.
        instead: PathBuf,
    },
    /// The driver is set to cut blocks in silence.
    #[error(
        "{0}: st's option sili is on, so blocks would be cut in silence: as root, 'mt -f {0} stclearoptions sili'",
        path.display()
    )]
    CutsBlocks {
        /// The node.
        path: PathBuf,
    },
    /// The drive keeps its fixed block size.
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
    /// Anything else that the system said.
    #[error("{}: can't open the tape: {}", path.display(), errno.desc())]
    System {
        /// The node.
        path: PathBuf,
        /// The system's reason.
        errno: Errno,
    },
}

impl Error {
    /// What it means that a tape could not be opened.
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
