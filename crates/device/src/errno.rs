//! What an errno of a node says by itself.

use nix::errno::Errno;

/// Errnos of a node whose drive or daemon is gone.
pub(crate) fn is_gone(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::ENXIO | Errno::ENODEV | Errno::ENOTCONN | Errno::ECONNABORTED | Errno::ESHUTDOWN
    )
}
