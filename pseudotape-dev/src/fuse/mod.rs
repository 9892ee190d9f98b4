//! The nodes as files of a FUSE mount, where there is no CUSE.
//!
//! A file of this mount behaves as a character device does, as far as the kernel lets it: no
//! position, no cache, `ioctl` with the arguments that its number says. Programs that insist on
//! a character device refuse it.

mod calls;
mod filesystem;
mod mounted;
mod node;
mod opening;
mod stream;
mod threads;

pub use mounted::{MountOptions, Mounted, mount};
