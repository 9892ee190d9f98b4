//! Errnos of devices as the kernel takes them in replies.

use pseudotape_chardev::Errno;

/// The errno for a reply. The kernel refuses a reply with a larger number, and the caller would then wait for ever.
pub(super) fn os(errno: Errno) -> fuser::Errno {
    const LARGEST: i32 = 511;
    match errno.0 {
        1..=LARGEST => fuser::Errno::from_i32(errno.0),
        _ => fuser::Errno::EIO,
    }
}
