//! The three requests of `linux/mtio.h`. All `unsafe` code of this crate is here.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use pseudotape_mtio::{MtGet, MtOp, MtPos, Width};

/// Sizes of the structures for this program's width of `long`.
#[cfg(target_pointer_width = "64")]
mod wide {
    pub(super) const WIDTH: super::Width = super::Width::Bits64;
    pub(super) const MTGET: usize = 48;
    pub(super) const MTPOS: usize = 8;
}

/// Sizes of the structures for this program's width of `long`.
#[cfg(target_pointer_width = "32")]
mod wide {
    pub(super) const WIDTH: super::Width = super::Width::Bits32;
    pub(super) const MTGET: usize = 28;
    pub(super) const MTPOS: usize = 4;
}

nix::ioctl_write_ptr!(mtioctop, b'm', 1, [u8; 8]);
nix::ioctl_read!(mtiocget, b'm', 2, [u8; wide::MTGET]);
nix::ioctl_read!(mtiocpos, b'm', 3, [u8; wide::MTPOS]);

/// `MTIOCTOP`.
pub(crate) fn operate(node: BorrowedFd<'_>, operation: MtOp) -> Result<(), Errno> {
    let bytes = operation.encode();
    // SAFETY: the descriptor is open as long as it is borrowed, and the kernel reads the 8 bytes of a `struct
    // mtop`: this array is as long as that.
    unsafe { mtioctop(node.as_raw_fd(), &raw const bytes) }.map(drop)
}

/// `MTIOCGET`.
pub(crate) fn status(node: BorrowedFd<'_>) -> Result<MtGet, Errno> {
    let mut bytes = [0; wide::MTGET];
    // SAFETY: the descriptor is open as long as it is borrowed, and the kernel writes a `struct mtget`,
    // which is as long as this array: the length is a part of the request number.
    unsafe { mtiocget(node.as_raw_fd(), &raw mut bytes) }?;
    MtGet::decode(&bytes, wide::WIDTH).map_err(|_| Errno::EINVAL)
}

/// `MTIOCPOS`.
pub(crate) fn position(node: BorrowedFd<'_>) -> Result<MtPos, Errno> {
    let mut bytes = [0; wide::MTPOS];
    // SAFETY: the descriptor is open as long as it is borrowed, and the kernel writes a `struct mtpos`,
    // which is as long as this array: the length is a part of the request number.
    unsafe { mtiocpos(node.as_raw_fd(), &raw mut bytes) }?;
    MtPos::decode(&bytes, wide::WIDTH).map_err(|_| Errno::EINVAL)
}
