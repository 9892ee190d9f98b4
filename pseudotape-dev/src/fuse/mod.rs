//! The nodes as files of a FUSE mount, where there is no CUSE.
//!
//! A file of this mount behaves like a character device, as far as the kernel allows: it has no position and no
//! cache, and an `ioctl` has the arguments that its number defines. Programs that insist on a character device
//! refuse such a file.

mod calls;
mod error;
mod filesystem;
mod gate;
mod holders;
mod mount_point;
mod mounted;
mod mounts;
mod node;
mod opening;
mod options;
mod reply;
mod ring;
mod stream;
mod threads;

pub use mounted::{Mounted, mount};
pub use options::{MountOptions, Uring};
