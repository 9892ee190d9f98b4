//! What a frontend serves: [`CharDevice`], one character device with whole system calls.
//!
//! This crate knows neither tapes nor CUSE nor FUSE.

mod device;

pub use device::{Caller, CharDevice, Errno, Handle, IoctlRequest, Opened, WordSize};
