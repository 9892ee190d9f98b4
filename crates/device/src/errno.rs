//! The meaning of an errno on its own.

use nix::errno::Errno;

/// Whether this errno means that the drive, or the daemon behind the node, is gone.
pub(crate) fn is_gone(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::ENXIO | Errno::ENODEV | Errno::ENOTCONN | Errno::ECONNABORTED | Errno::ESHUTDOWN
    )
}
